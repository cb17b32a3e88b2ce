"""A table of images and captions, read into items."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.items import Item, captions_of, split_named


@dataclass(frozen=True)
class Columns:
    """Names of the columns."""

    image: str
    caption: str
    split: str
    concept: str | None

    def as_list(self) -> list[str | None]:
        return list(astuple(self))


def read_items(table: Path, root: Path, columns: Columns) -> list[Item]:
    """The items of a table. Raises KdbenchError with the row, counted from 1 without the header."""
    rows = _rows(table)
    if not rows:
        raise KdbenchError(f"{table}: has no rows")
    _check_columns(table, columns, list(rows[0]))
    items: dict[str, Item] = {}
    for position, row in enumerate(rows, 1):
        where = f"{table}: row {position}"
        name = row.get(columns.image)
        if not isinstance(name, str) or not name.strip():
            raise KdbenchError(f"{where}: {columns.image} is {name!r}, expected the path of an image")
        key = os.path.normpath(name.strip())
        concept = "" if columns.concept is None else row.get(columns.concept)
        if concept is None or (columns.concept is not None and str(concept).strip() == ""):
            raise KdbenchError(f"{where}: {columns.concept} is empty, expected the name of a concept")
        item = Item(
            key,
            split_named(row.get(columns.split), where),
            captions_of(_cell(row.get(columns.caption)), f"{where} ({name})"),
            FileBlob(root / key),
            concept=str(concept),
        )
        items[key] = item if key not in items else _joined(items[key], item, where)
    _refuse_shared_concepts(table, items)
    return list(items.values())


def _joined(one: Item, other: Item, where: str) -> Item:
    """Merges two rows of one image."""
    for what, first, second in (("split", one.split, other.split), ("concept", one.concept, other.concept)):
        if first != second:
            leak = "; the same image in two splits would leak" if what == "split" else ""
            raise KdbenchError(
                f"{where}: the {what} of {one.blob.source} is {second!r}, in an earlier row it is {first!r}{leak}"
            )
    return Item(one.key, one.split, one.captions + other.captions, one.blob, concept=one.concept)


def _refuse_shared_concepts(table: Path, items: dict[str, Item]) -> None:
    seen: dict[str, Item] = {}
    for item in items.values():
        other = seen.setdefault(item.concept, item) if item.concept else item
        if other.split != item.split:
            places = f"{other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
            raise KdbenchError(f"{table}: the concept {item.concept!r} is in two splits, which would leak: {places}")


def _check_columns(table: Path, columns: Columns, found: list[str]) -> None:
    for parameter in ("image", "caption", "split", "concept"):
        name = getattr(columns, parameter)
        if name is None or name in found:
            continue
        if parameter == "split":
            raise KdbenchError(
                f"{table}: has no column {name!r} ({nearest(name, found)}); add one with train, validation or test for "
                "every image, or name yours with `split:`. They are not drawn at random: all must test on the same images"
            )
        hint = f"{nearest(name, found)}; name yours with `{parameter}:`"
        raise KdbenchError(f"{table}: has no column {name!r}; {hint}")


def _cell(value: Any) -> Any:
    """Turns a text cell with a JSON list into a list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value  # a caption that begins with a bracket
    return value


def _rows(table: Path) -> list[dict[str, Any]]:
    readers = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    reader = readers.get(table.suffix.lower())
    if reader is None:
        raise KdbenchError(f"{table}: its name ends in {table.suffix!r}, expected {', '.join(readers)}")
    try:
        return reader(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KdbenchError(f"{table}: cannot be read ({error})") from error


def _csv(table: Path) -> list[dict[str, Any]]:
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def _jsonl(table: Path) -> list[dict[str, Any]]:
    rows = []
    for position, line in enumerate(table.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise KdbenchError(f"{table}: line {position} is not JSON ({error})") from error
            if not isinstance(row, dict):
                raise KdbenchError(f"{table}: line {position} is {line[:40]!r}, expected an object with the columns")
            rows.append(row)
    return rows


def _parquet(table: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise KdbenchError(f"{table}: reading Parquet needs pyarrow: pip install 'kdbench[parquet]'") from error
    try:
        return list(pyarrow.parquet.read_table(table).to_pylist())
    except pyarrow.ArrowException as error:
        raise KdbenchError(f"{table}: is not a complete Parquet file ({error})") from error
