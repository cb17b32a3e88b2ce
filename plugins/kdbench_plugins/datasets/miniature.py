"""A miniature of Flickr30k or COCO on disk, for trials and tests."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from platformdirs import user_cache_path

from kdbench import KdbenchError, SplitName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Name = Literal["flickr8k", "flickr30k", "coco", "folder", "webdataset"]
Pictured = tuple["NDArray[np.uint8]", Sequence[str]]  # an image [height, width, 3] and its captions
COUNTS: dict[SplitName, int] = {"train": 128, "validation": 32, "test": 32}
CAPTIONS = 5
SIZE = 128  # pixels of the emoji
SHARD = 50  # images per shard, counted over all splits
FORMAT = 1  # raise when this code draws another miniature


def write_miniature(
    folder: Path, splits: Mapping[str, Sequence[Pictured]], name: Name = "flickr30k", quality: int = 92
) -> list[Path]:
    """Writes images as JPEGs with their annotations and returns the paths of the images.

    `splits` maps split names, Karpathy's (train, restval, val, test) or kdbench's, to images with captions. Writes
    dataset_flickr30k.json with flickr30k-images/, dataset_flickr8k.json with Flickr8k_Dataset/, dataset_coco.json with
    train2014/ and val2014/, table.csv with images/, or train/, val/ and test/ with shards of images and captions.
    """
    from PIL import Image

    entries: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    files: list[Path] = []
    pairs = ((split, image, captions) for split, chosen in splits.items() for image, captions in chosen)
    for position, (split, image, captions) in enumerate(pairs):
        split = "val" if split == "validation" else split
        coco = "train2014" if split in ("train", "restval") else "val2014"
        home = {"flickr8k": "Flickr8k_Dataset", "flickr30k": "flickr30k-images", "coco": coco}.get(name, "images")
        stem = f"COCO_{coco}_{position:012d}" if name == "coco" else f"{1000000000 + 7919 * position}"
        path = folder / home / f"{stem}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, quality=quality)
        files.append(path)
        sentids = range(position * CAPTIONS, position * CAPTIONS + len(captions))
        sentences = [
            {"raw": text, "tokens": text.lower().split(), "imgid": position, "sentid": sentid}
            for text, sentid in zip(captions, sentids, strict=True)
        ]
        rows += [[f"{home}/{path.name}", text, split] for text in captions]
        entry = {"filename": path.name, "imgid": position, "split": split, "sentids": list(sentids), "sentences": sentences}
        entries.append(entry | ({"filepath": coco, "cocoid": position} if name == "coco" else {}))
    if name == "folder":
        with (folder / "table.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", "caption", "split"])
            writer.writerows(rows)
    elif name == "webdataset":
        _pack(folder, rows)
    else:
        text = json.dumps({"images": entries, "dataset": name}, ensure_ascii=False)
        (folder / f"dataset_{name}.json").write_text(text, encoding="utf-8")
    return files


def _pack(folder: Path, rows: list[list[str]]) -> None:
    """Packs images and captions into shards of SHARD images each and removes the image files."""
    texts: dict[tuple[str, str], list[str]] = {}
    for path, text, split in rows:
        texts.setdefault((split, path), []).append(text)
    for position, ((split, path), captions) in enumerate(texts.items()):
        image = folder / path
        caption = image.with_suffix(".txt")
        caption.write_text("\n".join(captions), encoding="utf-8")
        (folder / split).mkdir(exist_ok=True)
        with tarfile.open(folder / split / f"{position // SHARD:05d}.tar", "a") as archive:
            for file in (image, caption):
                archive.add(file, file.name)
    shutil.rmtree(folder / "images")


def check_miniature() -> None:
    """Raises KdbenchError if a package that miniatures are made from is missing."""
    from kdbench_plugins.datasets.emoji_packages import versions

    versions()


def miniature_folder(name: Name) -> Path:
    """The folder with the miniature of a dataset, drawn from the dataset `emoji` on first use.

    Raises KdbenchError as `made_folder` does.
    """

    def write(folder: Path) -> None:
        write_miniature(folder, {split: list(pictured(split, count)) for split, count in COUNTS.items()}, name)

    return made_folder(f"{name}-{FORMAT}", write)


def made_folder(name: str, write: Callable[[Path], None]) -> Path:
    """The folder `name` of miniatures, whose contents are written on first use.

    It is in KDBENCH_CACHE or the user's cache folder. Raises KdbenchError if a package of `emoji` is missing.
    """
    root = Path(os.environ.get("KDBENCH_CACHE") or user_cache_path("kdbench")) / "miniature"
    folder = root / name
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    try:
        write(partial)
        partial.chmod(0o755)
        partial.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # it exists if another process was quicker
            raise KdbenchError(f"{folder}: the miniature cannot be written ({error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def pictured(name: SplitName, count: int) -> Iterator[Pictured]:
    """The first drawing of some concepts, each with five captions."""
    from kdbench_plugins.datasets.emoji import Emoji

    split = Emoji(size=SIZE).split(name)
    texts: dict[int, list[str]] = {}
    for caption, concept in zip(split.captions, split.caption_concepts.tolist(), strict=True):
        texts.setdefault(concept, []).append(caption)
    first: dict[int, int] = {}
    for position, concept in enumerate(split.image_concepts.tolist()):
        first.setdefault(concept, position)
    spread = list(first.items())[:: max(1, len(first) // count)][:count]  # from all categories of emoji
    for concept, position in spread:
        yield split.images[position], list(islice(cycle(texts[concept]), CAPTIONS))
