"""Parquet files as the `datasets` library writes them: images as {bytes, path}, captions, and the split."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.blobs import ParquetBlob
from kdbench_plugins.datasets.items import NAMES, Item, captions_or_error, key_of, split_named
from kdbench_plugins.datasets.ondisk import Index
from kdbench_plugins.datasets.texts import id_of, list_in, name_fault
from kdbench_plugins.tables.parquet import parquet_file, read_group

if TYPE_CHECKING:
    import pyarrow

CAPTIONS = ("caption", "captions", "raw", "sentences", "text")
IMAGE = "image"
EXTRA = ("split", "filename", "filepath", "img_id")
IN_NAME = re.compile(rf"(?:^|[-_.])({'|'.join(NAMES)})(?=[-_.]|$)", re.IGNORECASE)


def parquet_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds Parquet files, at any depth."""
    files = tuple(path for path in sorted(root.rglob("*.parquet")) if path.is_file())  # Spark calls folders so
    notes: list[str] = []
    return Index(root, (), files, lambda: _read(files, notes), notes) if files else None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row: its image with the captions in it. With `lone`, the row holds one caption and others may follow."""

    item: Item
    filename: str
    lone: bool


def _read(files: tuple[Path, ...], notes: list[str]) -> list[Item]:
    """The images of all rows. Rows are of one image if the name and the bytes of their images are equal: a name alone may
    have lost its folder, and an id may count rows."""
    rows = [row for path in files for row in _rows(path, notes)]
    named = Counter(row.filename for row in rows)
    digests = _digests([row.item.blob for row in rows if named[row.filename] > 1])
    items: dict[tuple[str, str], Item] = {}
    for row in rows:
        digest = digests.get(row.item.blob, "")
        item = replace(row.item, key=key_of(row.filename, digest)) if digest else row.item
        other = items.get((row.filename, digest))
        if other is None:
            items[row.filename, digest] = item
        elif row.lone and other.split == item.split:
            joined = replace(other, captions=other.captions + item.captions, error=other.error or item.error)
            items[row.filename, digest] = joined
        else:
            places = f"{other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
            what = "twice" if other.split == item.split else "in two splits, which would leak"
            raise KdbenchError(f"found the image {item.key[0]!r} {what}: {places}")
    return list(items.values())


def _digests(blobs: list[Any]) -> dict[Any, str]:
    """blob → a hash of its bytes; each row group is read once."""
    groups: dict[tuple[Path, int], list[Any]] = {}
    for blob in blobs:
        groups.setdefault((blob.path, blob.group), []).append(blob)
    found = {}
    for (path, group), wanted in groups.items():
        with parquet_file(path) as file:
            column = read_group(path, file, group, [f"{IMAGE}.bytes"]).column(IMAGE)
            for blob in wanted:
                data = (column[blob.row].as_py() or {}).get("bytes") or b""
                found[blob] = hashlib.blake2b(data, digest_size=16).hexdigest()
    return found


def _rows(path: Path, notes: list[str]) -> Iterator[_Row]:
    """The rows of a file. Of images, only the names are read."""
    with parquet_file(path) as file:
        schema = file.schema_arrow
        caption, *others = _caption_columns(path, schema)
        notes += [f"{path}: captions are those of the column {caption!r}, not of {name!r}" for name in others]
        extra = [name for name in EXTRA if name in schema.names]
        number = 0
        for group in range(file.num_row_groups):
            rows = read_group(path, file, group, [f"{IMAGE}.path", caption, *extra]).to_pylist()
            for row, values in enumerate(rows):
                yield _row(values, caption, ParquetBlob(path, IMAGE, group, row, number))
                number += 1


def _caption_columns(path: Path, schema: pyarrow.Schema) -> list[str]:
    """The columns that may hold captions, the one to use first. Raises KdbenchError if there is none, or no image column."""
    import pyarrow

    if IMAGE not in schema.names:
        raise KdbenchError(f"{path}: has no column {IMAGE!r}; {nearest(IMAGE, schema.names)}")
    kind = schema.field(IMAGE).type
    if not pyarrow.types.is_struct(kind) or not {"bytes", "path"} <= {field.name for field in kind}:
        raise KdbenchError(f"{path}: the column {IMAGE!r} is {kind}, expected a struct of bytes and path")
    found = [name for name in CAPTIONS if name in schema.names]
    if not found:
        raise KdbenchError(f"{path}: has no column of captions ({', '.join(CAPTIONS)}); {nearest(CAPTIONS[0], schema.names)}")
    return found


def _row(values: dict[str, Any], caption: str, blob: ParquetBlob) -> _Row:
    filename = values.get("filename") or (values[IMAGE] or {}).get("path")
    if not isinstance(filename, str) or not filename.strip():
        raise KdbenchError(f"{blob.source}: has neither filename nor {IMAGE}.path; expected the name of the image")
    filepath = values.get("filepath")
    for what, name in (("name of the image", filename), ("filepath", filepath)):
        fault = name_fault(name) if isinstance(name, str) else ""
        if fault:
            raise KdbenchError(f"{blob.source}: {what}: {fault}")
    filename = f"{filepath}/{filename}" if isinstance(filepath, str) else filename
    given = list_in(values[caption])
    lone = isinstance(given, str)
    captions, error = captions_or_error(given, f"{blob.source} ({filename})")
    split = split_named(values["split"], blob.source) if "split" in values else _split_of(blob.path)
    image_id = "" if lone else id_of(values.get("img_id"), blob.source)
    return _Row(Item(key_of(filename), split, captions, blob, image_id, error=error), filename, lone)


def _split_of(path: Path) -> Any:
    """The split by the file's name, such as train-00000-of-00010.parquet, otherwise by its folder."""
    for name in (path.stem, path.parent.name):
        found = {NAMES[split.lower()] for split in IN_NAME.findall(name)}
        if len(found) > 1:
            raise KdbenchError(f"{path}: its name holds several splits ({', '.join(sorted(found))}); expected one")
        if found:
            return found.pop()
    raise KdbenchError(f"{path}: its split is unknown; expected a column `split` or a file name such as train-*.parquet")
