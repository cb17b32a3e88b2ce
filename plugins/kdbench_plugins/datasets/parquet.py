"""Parquet files as the `datasets` library writes them: images as {bytes, path}, captions, and the split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.blobs import ParquetBlob
from kdbench_plugins.datasets.items import NAMES, Item, captions_of, key_of, split_named
from kdbench_plugins.datasets.ondisk import Index

CAPTIONS = ("caption", "captions", "raw", "sentences", "text")
IMAGE = "image"
IN_NAME = re.compile(rf"(?:^|[-_.])({'|'.join(NAMES)})(?=[-_.]|$)", re.IGNORECASE)


def parquet_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds Parquet files, at any depth."""
    files = tuple(sorted(root.rglob("*.parquet")))
    return Index(root, (), files, lambda: _read(files)) if files else None


def _read(files: tuple[Path, ...]) -> list[Item]:
    items: dict[str, Item] = {}
    for path in files:
        for item, lone in _rows(path):
            other = items.get(item.key)
            if other is None:
                items[item.key] = item
            elif lone and other.split == item.split:  # a row for every caption
                items[item.key] = Item(item.key, item.split, other.captions + item.captions, other.blob, other.image_id)
            else:
                places = f"{other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
                what = "twice" if other.split == item.split else "in two splits, which would leak"
                raise KdbenchError(f"found the image {item.key!r} {what}: {places}")
    return list(items.values())


def _rows(path: Path) -> Iterator[tuple[Item, bool]]:
    """The items of a file, and whether it has a single caption per row. Reads only the names of images."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise KdbenchError(f"{path}: reading Parquet needs pyarrow: pip install 'kdbench[parquet]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            caption = _columns(path, schema)
            extra = [name for name in ("split", "filename", "filepath", "img_id") if name in schema.names]
            number = 0
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=[f"{IMAGE}.path", caption, *extra]).to_pylist()
                for row, values in enumerate(rows):
                    blob = ParquetBlob(path, IMAGE, group, row, number)
                    yield _item(values, caption, blob), isinstance(values[caption], str)
                    number += 1
    except (OSError, pyarrow.ArrowException) as error:
        raise KdbenchError(f"{path}: is not a complete Parquet file ({error}); download it again") from error


def _columns(path: Path, schema: Any) -> str:
    """The name of the caption column. Raises KdbenchError if it or a valid image column is missing."""
    import pyarrow

    if IMAGE not in schema.names:
        raise KdbenchError(f"{path}: has no column {IMAGE!r}; {nearest(IMAGE, schema.names)}")
    kind = schema.field(IMAGE).type
    if not pyarrow.types.is_struct(kind) or not {"bytes", "path"} <= {field.name for field in kind}:
        raise KdbenchError(f"{path}: the column {IMAGE!r} is {kind}, expected a struct of bytes and path")
    found = next((name for name in CAPTIONS if name in schema.names), None)
    if found is None:
        raise KdbenchError(f"{path}: has no column of captions ({', '.join(CAPTIONS)}); {nearest(CAPTIONS[0], schema.names)}")
    return found


def _item(values: dict[str, Any], caption: str, blob: ParquetBlob) -> Item:
    filename = values.get("filename") or (values[IMAGE] or {}).get("path")
    if not filename:
        raise KdbenchError(f"{blob.source}: has neither filename nor {IMAGE}.path; expected the name of the image")
    given = values[caption]
    image_id = values.get("img_id")
    return Item(
        key_of(str(filename)),
        split_named(values["split"], blob.source) if "split" in values else _split_of(blob.path),
        captions_of(given, f"{blob.source} ({filename})"),
        blob,
        "" if image_id is None or isinstance(given, str) else str(image_id),
    )


def _split_of(path: Path) -> Any:
    """The split by the file's name, such as train-00000-of-00010.parquet, otherwise by its folder."""
    for name in (path.stem, path.parent.name):
        found = IN_NAME.search(name)
        if found:
            return NAMES[found.group(1).lower()]
    raise KdbenchError(f"{path}: its split is unknown; expected a column `split` or a file name such as train-*.parquet")
