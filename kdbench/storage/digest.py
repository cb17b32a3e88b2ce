"""Content hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and without spaces. Raises ValueError for NaN and infinities."""
    return _CANONICAL.encode(value)


def digest_of(value: Any) -> str:
    """sha256 over the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_of_fields(fields: Mapping[str, str]) -> str:
    """`digest_of` an object, from the canonical JSON of each of its fields; the names must need no escapes."""
    text = ",".join(f'"{name}":{fields[name]}' for name in sorted(fields))
    return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
