"""Karpathy's splits beside a folder of images: his JSON file, or the CSV file of the copy on Hugging Face."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.image_folders import ImageFolders
from kdbench_plugins.datasets.items import NAMES, Item, captions_or_error, key_of, split_named
from kdbench_plugins.datasets.ondisk import Index
from kdbench_plugins.datasets.texts import id_of, name_fault
from kdbench_plugins.tables.json_text import JsonFault, parsed
from kdbench_plugins.tables.read import csv_header, csv_table
from kdbench_plugins.tables.table import text_of

COLUMNS = {"raw", "split", "filename"}


def json_index(root: Path, name: str) -> Index | None:
    """The index of a root that holds dataset_<name>.json, directly or in a subfolder."""
    paths = [path for pattern in ("", "*/") for path in sorted(root.glob(f"{pattern}dataset_{name}.json"))]
    return _index(root, paths, _read_json)


def csv_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds a CSV file with the columns raw, split and filename."""
    return _index(root, [path for path in sorted(root.glob("*.csv")) if set(csv_header(path)) >= COLUMNS], _read_csv)


def _index(root: Path, paths: list[Path], read: Callable[[Path], Iterator[_Listed]]) -> Index | None:
    """The index of the first of some files. Raises KdbenchError if another one says something else."""
    if not paths:
        return None
    for other in paths[1:]:
        if not filecmp.cmp(paths[0], other, shallow=False):
            raise KdbenchError(f"{root}: found {paths[0]} and {other}, which differ; expected one. Move the other out of root:")
    return Index(root, (paths[0],), (), lambda: _items(root, paths[0], list(read(paths[0]))))


@dataclass(frozen=True, slots=True)
class _Listed:
    """An image as a file lists it; `where` is its place in the file."""

    where: str
    filepath: str
    filename: str
    split: Any
    captions: Any
    image_id: str


def _read_json(path: Path) -> Iterator[_Listed]:
    expected = "expected images with filename, split and sentences with raw"
    try:
        content = parsed(text_of(path), whole=False)
    except JsonFault as fault:
        raise KdbenchError(f"{path}: is not Karpathy's file ({fault}); {expected}: is it truncated?") from fault
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise KdbenchError(f"{path}: is not Karpathy's file (it has no list of images); {expected}")
    for number, image in enumerate(images, 1):
        where = f"{path}: image {number}"
        if not isinstance(image, dict):
            raise KdbenchError(f"{where}: found {repr(image)[:60]}; {expected}")
        missing = sorted({"filename", "split", "sentences"} - image.keys())
        if missing:
            raise KdbenchError(f"{where}: has no {missing[0]}; {expected}")
        if isinstance(image["filename"], str):
            where = f"{path}: {image['filename']}"
        yield _listed(where, image, image.get("imgid"), _raw(image["sentences"]))


def _raw(sentences: Any) -> Any:
    """The captions in Karpathy's sentences; what is no sentence stays, to be refused."""
    if not isinstance(sentences, list):
        return {"sentences": sentences}
    return [sentence.get("raw") if isinstance(sentence, dict) else {"raw": sentence} for sentence in sentences]


def _read_csv(path: Path) -> Iterator[_Listed]:
    for row in csv_table(path, ",", NAMES).rows:
        raw = row.values["raw"]
        try:
            captions = parsed(raw, whole=False)
        except JsonFault:
            captions = None
        if not isinstance(captions, list):
            raise KdbenchError(f"{row.where}: raw is {raw[:60]!r}, expected a JSON list of captions")
        yield _listed(f"{row.where} ({row.values['filename']})", row.values, row.values.get("img_id"), captions)


def _listed(where: str, values: dict[str, Any], image_id: Any, captions: Any) -> _Listed:
    filename, filepath = values["filename"], values.get("filepath") or ""
    for what, name in (("filename", filename), ("filepath", filepath)):
        if not isinstance(name, str) or (what == "filename" and not name.strip()):
            raise KdbenchError(f"{where}: {what}: found {repr(name)[:60]}; expected the name of a file")
        fault = name_fault(name)
        if fault:
            raise KdbenchError(f"{ascii(where)[1:-1]}: {what}: {fault}; expected the name of a file")
    return _Listed(where, filepath, filename, values["split"], captions, id_of(image_id, where))


def _items(root: Path, path: Path, listed: list[_Listed]) -> list[Item]:
    folders = ImageFolders(root, path)
    blobs: dict[tuple[str, str], FileBlob] = {}
    within: dict[str, list[str]] = {}
    for image in listed:
        within.setdefault(image.filepath, []).append(image.filename)
    for filepath, names in sorted(within.items()):
        for name, file in zip(names, folders.files(filepath, names), strict=True):
            blobs[filepath, name] = FileBlob(file)
    items = []
    for image in listed:
        captions, error = captions_or_error(image.captions, image.where)
        key = key_of(f"{image.filepath}/{image.filename}" if image.filepath else image.filename)
        blob = blobs[image.filepath, image.filename]
        items.append(Item(key, split_named(image.split, image.where), captions, blob, image.image_id, error=error))
    return items
