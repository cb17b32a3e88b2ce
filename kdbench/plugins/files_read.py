"""The files and folders that a plugin reads: those it states, or those that its parameters name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench.contracts import Offer
from kdbench.plugins.parameters import nested_uses, typed_params


def files_read(offer: Offer[Any], params: dict[str, Any]) -> list[Path]:
    """The files and folders that a plugin with these parameters reads, without those of plugins nested in it.

    Raises KdbenchError as `Offer.reads` does, and pydantic's ValidationError if a parameter is invalid.
    """
    values = typed_params(offer, params)
    if offer.reads is not None:
        return list(offer.reads(**values))
    nested = nested_uses(offer)
    return [path for name, value in values.items() if name not in nested for path in named_files(value)]


def named_files(value: object) -> Iterator[Path]:
    """The existing files and folders that a value names, in any list or map that it holds."""
    if isinstance(value, dict):
        for item in value.values():
            yield from named_files(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from named_files(item)
    elif isinstance(value, str | Path) and str(value) not in ("", "."):
        path = Path(value)
        try:
            path = path.expanduser()
            exists = path.exists()
        except (OSError, ValueError, RuntimeError):  # a text that cannot be a path, such as one of 300 characters
            return
        if exists:
            yield path
