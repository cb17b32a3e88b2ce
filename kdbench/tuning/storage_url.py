"""URLs of storages: adding the driver, hiding the password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def shown(url: str) -> str:
    """A storage's URL, or path, without its password."""
    return re.sub(r"(://[^/@:]*):[^@/]*@", r"\1:***@", url)


def driven(url: str) -> str:
    """`postgres://` and `postgresql://` URLs with psycopg, the driver that the extra installs."""
    scheme = urlsplit(url).scheme
    return f"postgresql+psycopg{url[len(scheme) :]}" if scheme in ("postgres", "postgresql") else url
