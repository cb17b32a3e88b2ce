"""One small set of real JPEGs and captions in every form that users hold it in."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from kdbench_plugins.datasets.miniature import Name, write_miniature

COUNTS = {"train": 9, "restval": 3, "val": 4, "test": 5}
NAMES = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


def picture(seed: int) -> NDArray[np.uint8]:
    """Something smooth, of a shape of its own."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (5, 6, 3), dtype=np.uint8))
    return np.asarray(small.resize((40 + 7 * (seed % 5), 40 + 5 * (seed % 7)), Image.Resampling.BICUBIC))


def split_of(split: str) -> list[tuple[NDArray[np.uint8], list[str]]]:
    first = sum(count for name, count in COUNTS.items() if list(COUNTS).index(name) < list(COUNTS).index(split))
    texts = [[f" {split} picture {i}, told {n} times.\n" for n in range(5 + (i == 1))] for i in range(COUNTS[split])]
    return [(picture(first + place), captions) for place, captions in enumerate(texts)]


def write_json(root: Path, name: Name) -> Path:
    write_miniature(root, {split: split_of(split) for split in COUNTS}, name)
    return root


def entries(root: Path) -> list[dict[str, Any]]:
    """What Karpathy's file says, with the path of each image; out of order, as everything that follows is."""
    path = next(root.glob("dataset_*.json"))
    found = json.loads(path.read_text(encoding="utf-8"))
    images, home = found["images"], "Flickr8k_Dataset" if found["dataset"] == "flickr8k" else "flickr30k-images"
    for image in images:
        image["path"] = root / (image.get("filepath") or home) / image["filename"]
    return [images[place] for place in np.random.default_rng(0).permutation(len(images))]


def write_csv(root: Path, name: Name, source: Path) -> Path:
    root.mkdir()
    with (root / f"{name}_annotations_30k.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["raw", "sentids", "split", "filename", "img_id"])
        for image in entries(source):
            (root / "images").mkdir(exist_ok=True)
            shutil.copy2(image["path"], root / "images" / image["filename"])
            raw = json.dumps([sentence["raw"] for sentence in image["sentences"]])
            writer.writerow([raw, json.dumps(image["sentids"]), image["split"], image["filename"], image["imgid"]])
    return root


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def write_shards(root: Path, name: Name, source: Path) -> Path:  # noqa: ARG001
    """Three images a shard, the caption sometimes before the image, as CLIP_benchmark exports them."""
    for folder, splits in (("train", ("train", "restval")), ("val", ("val",)), ("test", ("test",))):
        chosen = [image for image in entries(source) if image["split"] in splits]
        (root / folder).mkdir(parents=True)
        count = -(-len(chosen) // 3)
        for shard in range(count):
            with tarfile.open(root / folder / f"{shard}.tar", "w") as archive:
                for image in chosen[3 * shard : 3 * shard + 3]:
                    stem = Path(image["filename"]).stem
                    text = "\n".join(sentence["raw"].strip() for sentence in image["sentences"]).encode()
                    files = [(f"{stem}.jpg", image["path"].read_bytes()), (f"{stem}.txt", text)]
                    for file in files if shard % 2 else reversed(files):
                        add(archive, *file)
        (root / folder / "nshards.txt").write_text(f"{count}\n")
    return root


def table(images: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            "image": [{"bytes": image["path"].read_bytes(), "path": image["filename"]} for image in images],
            "caption": [[sentence["raw"] for sentence in image["sentences"]] for image in images],
            "split": [image["split"] for image in images],
            "img_id": [str(image["imgid"]) for image in images],
            "filename": [image["filename"] for image in images],
        }
    )


def write_parquet(root: Path, name: Name, source: Path) -> Path:  # noqa: ARG001
    """One folder of files called test-*, as the copy of Flickr30k has it: the column tells the split."""
    (root / "data").mkdir(parents=True)
    images = entries(source)
    for place in range(2):
        pq.write_table(table(images[place::2]), root / "data" / f"test-{place:05}-of-00002.parquet", row_group_size=4)
    return root


def write_parquet_splits(root: Path, name: Name, source: Path) -> Path:  # noqa: ARG001
    """A file for each split, a row for each caption."""
    root.mkdir()
    for split in ("train", "validation", "test"):
        images = [image for image in entries(source) if NAMES[image["split"]] == split]
        rows = [image | {"sentences": [sentence]} for image in images for sentence in image["sentences"]]
        if not rows:
            continue
        found = table(rows).drop_columns(["split", "filename", "img_id"])
        texts = pa.array([image["sentences"][0]["raw"] for image in rows])
        found = found.set_column(1, "caption", texts)
        pq.write_table(found, root / f"{split}-00000-of-00001.parquet", row_group_size=7)
    return root


WRITE: dict[str, Callable[[Path, Name, Path], Path]] = {
    "csv": write_csv,
    "webdataset": write_shards,
    "parquet": write_parquet,
    "parquet-splits": write_parquet_splits,
}
