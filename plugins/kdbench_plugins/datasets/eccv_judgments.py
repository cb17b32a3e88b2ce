"""The judgments of ECCV Caption and CxC, as the package eccv_caption holds them: maps of COCO's ids."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from kdbench import KdbenchError
from kdbench_plugins.tables.json_text import JsonFault, parsed
from kdbench_plugins.tables.table import text_of

Ids = dict[int, list[int]]
# The beginnings of the sha256 of the files of version 0.1.0: figures by other judgments do not compare.
PUBLISHED = {
    "cxc_caption_to_image.json": "95fa65de2171c2d5",
    "cxc_image_to_caption.json": "e567e46b527901bb",
    "eccv_caption_to_image.json": "3f1d209e7fc4100a",
    "eccv_image_to_caption.json": "47b822df8932da56",
    "original_image_to_caption.json": "17e7673206edefd9",
}
WHOSE = "dataset eccv_caption"
WAYS = {"i2t": "image_to_caption", "t2i": "caption_to_image"}
SETS = {f"{name}_{way}": f"{name}_{file}.json" for name in ("eccv", "cxc") for way, file in WAYS.items()}
SPLIT = "original_i2t"  # the captions of each image of the test split
FILES = {SPLIT: "original_image_to_caption.json", **SETS}


def judgment_files(folder: Path | None) -> dict[str, Path]:
    """The file of each set in `folder`, by default in the installed package. Raises KdbenchError if one is missing."""
    spec = find_spec("eccv_caption") if folder is None else None
    if folder is None and (spec is None or spec.origin is None):
        raise KdbenchError(
            f"{WHOSE}: the package eccv_caption, which holds the judgments, is not installed; install it with `pip install "
            "eccv_caption`, or set `judgments:` to a folder with its files. To try things out without it: `miniature: true`"
        )
    home = folder.expanduser() if folder is not None else Path(str(spec and spec.origin)).parent / "data"
    files = {name: home / file for name, file in FILES.items()}
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise KdbenchError(f"{WHOSE}: judgments: found no {', '.join(missing)} in {home}; expected the files of eccv_caption")
    for path in files.values():
        if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(PUBLISHED[path.name]):
            raise KdbenchError(f"{path}: found other judgments than those of eccv_caption 0.1.0, with which figures compare")
    return files


def read_judgments(path: Path) -> Ids:
    """A map of the id of each query to those of its positives. Raises KdbenchError for a file of another form."""
    try:
        content = parsed(text_of(path))
        found = {int(key): [int(value) for value in values] for key, values in content.items()}
    except (JsonFault, ValueError, TypeError, AttributeError) as error:
        raise KdbenchError(f"{path}: expected a JSON map of ids to lists of ids ({error})") from error
    if empty := [key for key, values in found.items() if not values or len(set(values)) < len(values)]:
        raise KdbenchError(f"{path}: found a query, {empty[0]}, with no positive, or with one twice")
    return found
