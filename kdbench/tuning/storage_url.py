"""Where studies are kept, as people write it and as others may see it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def shown(place: str) -> str:
    """A storage's place without its password."""
    return re.sub(r"(://[^/@:]*):[^@/]*@", r"\1:***@", place)


def driven(url: str) -> str:
    """`postgres://` and `postgresql://` with psycopg, which is the extra's driver."""
    scheme = urlsplit(url).scheme
    return f"postgresql+psycopg{url[len(scheme) :]}" if scheme in ("postgres", "postgresql") else url
