"""Items that are left out of a dataset, and the refusal of those that cannot be used.

A list names an item by its picture or by its captions; either way the pair is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from kdbench import KdbenchError, UnusableItems, nearest
from kdbench_plugins.datasets.items import Item


def lines_of(quarantine: Path | None) -> list[str]:
    """The sources in a list, one per line; lines that begin with # are comments, lines in quotation marks JSON strings.

    Raises KdbenchError if the list cannot be read.
    """
    if quarantine is None:
        return []
    try:
        lines = quarantine.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KdbenchError(f"{quarantine}: cannot be read ({error}); expected the source of an item on each line") from error
    stripped = [line.strip() for line in lines]
    return [_plain(line) for line in stripped if line and not line.startswith("#")]


def check_list(quarantine: Path | None, whose: str) -> None:
    """Raises KdbenchError if the list does not exist."""
    if quarantine is not None and not quarantine.is_file():
        raise KdbenchError(f"{whose}: quarantine: there is no file {quarantine}; make it with kdbench data check")


def left_in(items: Sequence[Item], unwanted: Collection[str], root: Path, listed_in: Path | None, dataset: str) -> list[Item]:
    """The items that no line of `unwanted` names. Sources may be relative to `root`.

    Raises KdbenchError for a line that names no item: it would leave in what it is meant to leave out.
    """
    if not unwanted:
        return list(items)
    prefix = f"{root}{os.sep}"
    names: dict[str, int] = {}
    for index, item in enumerate(items):
        for name in item.names:
            names[name] = names[name.removeprefix(prefix)] = index
    for line in unwanted:
        if line not in names:
            raise KdbenchError(f"{listed_in}: no image of {dataset} is {line!r}; {nearest(line, names)}")
    left_out = {names[line] for line in unwanted}
    return [item for index, item in enumerate(items) if index not in left_out]


def refuse_unusable(items: Iterable[Item], whose: str) -> None:
    """Raises UnusableItems for all items that have an error."""
    wrong = {item.names[0]: item.error for item in items if item.error}
    if wrong:
        raise UnusableItems(whose, wrong)


def _plain(line: str) -> str:
    if line.startswith('"'):
        try:
            return str(json.loads(line))
        except ValueError:
            return line
    return line
