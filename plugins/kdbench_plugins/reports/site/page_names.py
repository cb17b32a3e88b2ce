"""File names and anchors from names, which may contain any character."""

from __future__ import annotations

import hashlib
import re

ID = re.compile(r"[0-9a-f]{12}")
LONGEST = 40


def slug(name: str) -> str:
    """Lower-case letters, digits and hyphens, at most 53 characters, ending in a hash that makes it unique."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:LONGEST].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable}-{digest}" if readable else digest


def token(name: str) -> str:
    """A valid id, such as a run's, unchanged; the slug of anything else."""
    return name if ID.fullmatch(name) else slug(name)
