"""The files and folders that a plugin reads: those it states, or those that its parameters name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench.contracts import Offer
from kdbench.plugins.kept_answers import kept_answer
from kdbench.plugins.parameters import nested_uses, typed_params

SEPARATORS = [mark for mark in (os.sep, os.altsep) if mark]


def files_read(offer: Offer[Any], params: dict[str, Any], keep: bool = False) -> list[Path]:
    """The files and folders that a plugin with these parameters reads, without those of plugins nested in it.

    With `keep`, the plugin is asked once a process, and again when these files or their folders have changed. Raises
    KdbenchError as `Offer.reads` does, and pydantic's ValidationError if a parameter is invalid.
    """
    values = typed_params(offer, params)
    if (reads := offer.reads) is not None:
        question = offer, str(sorted(values.items()))
        return kept_answer(question, lambda: reads(**values)) if keep else list(reads(**values))
    nested = nested_uses(offer)
    return [path for name, value in values.items() if name not in nested for path in named_files(value)]


def left_out(offer: Offer[Any], params: dict[str, Any]) -> list[tuple[str, Path]]:
    """The parameters that name, as a `Path`, a folder whose contents are not looked at: one around the working folder or the
    user's own, or `.`, where the plugin does not state what it reads.

    Raises pydantic's ValidationError if a parameter is invalid.
    """
    if offer.reads is not None:
        return []
    values = typed_params(offer, params).items()
    given = [(name, value) for name, value in values if isinstance(value, Path) and params.get(name)]
    return [(name, path) for name, path in given if path.is_dir() and not list(named_files(path))]


def named_files(value: object) -> Iterator[Path]:
    """The existing files and folders that a value names, in any list or map that it holds.

    A `Path` always does. A text does if it is written as a path: a folder with a separator in it, a file with one or with a
    suffix; `"train"` is a word even where a folder is called so. A folder around the working folder or the user's own, such
    as `/`, is no data set, and `Path(".")` is what an empty text becomes; see `left_out`.
    """
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
            given = (
                isinstance(value, Path) or any(mark in value for mark in SEPARATORS) or (path.suffix != "" and path.is_file())
            )
            named = given and path.exists() and not _around_us(path)
        except (OSError, ValueError, RuntimeError):  # a text that cannot be a path, such as one of 300 characters
            return
        if named:
            yield path


def _around_us(path: Path) -> bool:
    folder = path.resolve()
    return any(folder in here.resolve().parents for here in (Path.cwd(), Path.home()))
