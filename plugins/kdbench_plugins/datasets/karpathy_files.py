"""Karpathy's splits beside a folder of images: his JSON file, or the CSV file of the copy on Hugging Face."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.items import Item, captions_of, key_of, split_named
from kdbench_plugins.datasets.ondisk import Index

FOLDERS = ("", "images", "flickr30k-images", "flickr30k_images", "Images", "train2014", "val2014")
COLUMNS = {"raw", "split", "filename"}
TRIED = 50  # images to look for before their folder is reported as missing


def json_index(root: Path, name: str) -> Index | None:
    """The index of a root that holds dataset_<name>.json, directly or in a subfolder."""
    path = next((position for pattern in ("", "*/") for position in sorted(root.glob(f"{pattern}dataset_{name}.json"))), None)
    return None if path is None else Index(root, (path,), (), lambda: _read_json(root, path))


def csv_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds a CSV file with the columns raw, split and filename."""
    path = next((path for path in sorted(root.glob("*.csv")) if set(_header(path)) >= COLUMNS), None)
    return None if path is None else Index(root, (path,), (), lambda: _read_csv(root, path))


def _read_json(root: Path, path: Path) -> list[Item]:
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        rows = [
            (
                str(image.get("filepath") or ""),
                str(image["filename"]),
                image["split"],
                [sentence["raw"] for sentence in image["sentences"]],
                str(image.get("imgid", "")),
            )
            for image in images
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KdbenchError(
            f"{path}: is not Karpathy's file ({type(error).__name__}: {error}); expected images with filename, split and "
            "sentences with raw: is it truncated?"
        ) from error
    return _items(root, path, rows)


def _read_csv(root: Path, path: Path) -> list[Item]:
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for position, row in enumerate(csv.DictReader(stream), 1):
            where = f"{path}: row {position}"
            if any(row.get(column) is None for column in COLUMNS):
                raise KdbenchError(f"{where}: has fewer fields than the header; is the file truncated?")
            try:
                captions = json.loads(row["raw"])
            except ValueError as error:
                raise KdbenchError(f"{where}: raw is {row['raw'][:60]!r}, expected a JSON list of captions") from error
            rows.append((row.get("filepath") or "", row["filename"], row["split"], captions, row.get("img_id") or ""))
    return _items(root, path, rows)


def _items(root: Path, path: Path, rows: list[tuple[str, str, Any, Any, str]]) -> list[Item]:
    folders: dict[str, Path] = {}
    for filepath in sorted({row[0] for row in rows}):
        folders[filepath] = _folder(root, path, filepath, [row[1] for row in rows if row[0] == filepath])
    return [
        Item(
            key_of(filename),
            split_named(split, f"{path}: {filename}"),
            captions_of(captions, f"{path}: {filename}"),
            FileBlob(folders[filepath] / filename),
            image_id,
        )
        for filepath, filename, split, captions, image_id in rows
    ]


def _folder(root: Path, path: Path, filepath: str, names: list[str]) -> Path:
    """The folder that holds the images, located by the first of them. A single missing image is reported when it is read."""
    candidates = list(dict.fromkeys(root / folder / part for part in (filepath, "") for folder in FOLDERS))
    for name in names[:TRIED]:
        for folder in candidates:
            if (folder / name).is_file():
                return folder
    looked = ", ".join(str(folder) for folder in candidates if folder.is_dir())
    raise KdbenchError(
        f"{path}: found none of its images, such as {filepath + '/' if filepath else ''}{names[0]}; looked in {looked}; "
        "put the image folder there or set root: to the folder that holds both"
    )


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # some other file
