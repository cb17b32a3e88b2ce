"""A table of images and captions, read into items."""

from __future__ import annotations

import math
import os
import unicodedata
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.items import NAMES, Item, captions_or_error, split_named
from kdbench_plugins.datasets.texts import list_in, name_fault
from kdbench_plugins.tables.read import read_table
from kdbench_plugins.tables.table import Row


@dataclass(frozen=True)
class Columns:
    """Names of the columns."""

    image: str
    caption: str
    split: str
    concept: str | None
    synthetic: str | None = None

    def as_list(self) -> list[str | None]:
        """Without a column that was added later and is not used."""
        names = list(astuple(self))
        return names if self.synthetic else names[:-1]


def read_items(table: Path, root: Path, columns: Columns) -> list[Item]:
    """The items of a table. Raises KdbenchError with the row, counted from 1 without the header.

    A row whose captions cannot be used gives an item with an `error`.
    """
    found = read_table(table, {name for name in columns.as_list() if name}, NAMES)
    if not found.rows:
        raise KdbenchError(f"{table}: has no rows")
    _check_columns(table, columns, found.columns)
    items: dict[str, Item] = {}
    written: dict[str, str] = {}
    for row in found.rows:
        name = _name(row, columns.image)
        key = os.path.normpath(name.strip())
        if _elsewhere(root, name.strip(), key):
            raise KdbenchError(
                f"{row.where}: {columns.image}: found {name!r}, whose .. leaves a linked folder; expected a path without .."
            )
        captions, error = captions_or_error(list_in(row.values.get(columns.caption)), f"{row.where} ({name})")
        split = split_named(row.values.get(columns.split), row.where)
        synthetic, fault = _synthetic(row, columns.synthetic, name) if split == "train" else ((), "")
        item = Item(
            (key,),
            split,
            captions,
            FileBlob(root / key, row.where),
            concept=_concept(row, columns.concept),
            error=error or fault,
            synthetic=synthetic,
        )
        first = written.setdefault(key, name)
        if first != name and first.strip() == name.strip():
            raise KdbenchError(f"{row.where}: {columns.image}: found {name!r}, in an earlier row {first!r}; expected one name")
        items[key] = item if key not in items else _joined(items[key], item, row.where)
    _refuse_shared_concepts(table, items)
    return list(items.values())


def _name(row: Row, column: str) -> str:
    """The path of an image, as it is written."""
    name = row.values.get(column)
    if not isinstance(name, str) or not name.strip():
        raise KdbenchError(f"{row.where}: {column} is {name!r}, expected the path of an image")
    fault = name_fault(name)
    if fault:
        raise KdbenchError(f"{row.where}: {column}: {fault}; expected the path of an image")
    return name


def _synthetic(row: Row, column: str | None, name: str) -> tuple[tuple[str, ...], str]:
    """A model's captions of a row, none if the cell is empty, and what is wrong with them."""
    cell = list_in(row.values.get(column)) if column else None
    if cell is None or cell == [] or (isinstance(cell, str) and not cell.strip()):
        return (), ""
    return captions_or_error(cell, f"{row.where} ({name}): {column}")


def _elsewhere(root: Path, name: str, key: str) -> bool:
    """Whether a path with .. in it and the shorter one without are different files: one of its folders is a link."""
    return ".." in Path(name).parts and os.path.realpath(root / name) != os.path.realpath(root / key)


def _concept(row: Row, column: str | None) -> str:
    """The name of a concept, without white space around it and composed (NFC): as people read it. Empty without a column."""
    if column is None:
        return ""
    value = row.values.get(column)
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    if value is None or (isinstance(value, str) and not value.strip()):
        raise KdbenchError(f"{row.where}: {column} is empty, expected the name of a concept")
    if not isinstance(value, str | int | float):
        raise KdbenchError(f"{row.where}: {column}: found {repr(value)[:60]}; expected the name of a concept")
    fault = name_fault(str(value))
    if fault:
        raise KdbenchError(f"{row.where}: {column}: {fault}; expected the name of a concept")
    return unicodedata.normalize("NFC", str(value).strip())


def _joined(one: Item, other: Item, where: str) -> Item:
    """Merges two rows of one image."""
    for what, first, second in (("split", one.split, other.split), ("concept", one.concept, other.concept)):
        if first != second:
            leak = "; the same image in two splits would leak" if what == "split" else ""
            raise KdbenchError(
                f"{where}: the {what} of {one.blob.source} is {second!r}, in an earlier row it is {first!r}{leak}"
            )
    synthetic = one.synthetic + tuple(text for text in other.synthetic if text not in one.synthetic)
    return replace(one, captions=one.captions + other.captions, error=one.error or other.error, synthetic=synthetic)


def _refuse_shared_concepts(table: Path, items: dict[str, Item]) -> None:
    seen: dict[str, Item] = {}
    for item in items.values():
        other = seen.setdefault(item.concept, item) if item.concept else item
        if other.split != item.split:
            places = f"{other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
            raise KdbenchError(f"{table}: the concept {item.concept!r} is in two splits, which would leak: {places}")


def _check_columns(table: Path, columns: Columns, found: list[str]) -> None:
    for parameter in ("image", "caption", "split", "concept", "synthetic"):
        name: Any = getattr(columns, parameter)
        if name is None or name in found:
            continue
        if parameter == "split":
            raise KdbenchError(
                f"{table}: has no column {name!r} ({nearest(name, found)}); add one with train, validation or test for "
                "every image, or name yours with `split:`. They are not drawn at random: all must test on the same images"
            )
        raise KdbenchError(f"{table}: has no column {name!r}; name yours with `{parameter}:`. {nearest(name, found)}")
