"""Names as file names and anchors: anything may be a name, little may be a file name."""

from __future__ import annotations

import hashlib
import re

ID = re.compile(r"[0-9a-f]{12}")
LONGEST = 40


def slug(name: str) -> str:
    """Lower-case letters, digits and hyphens, 53 characters at most; the hash of the name at its end keeps any two apart."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable}-{digest}" if readable else digest


def token(name: str) -> str:
    """An id, such as a run's, as it is; the slug of what only claims to be one."""
    return name if ID.fullmatch(name) else slug(name)
