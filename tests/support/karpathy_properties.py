"""Karpathy's JSON and its CSV copy with whatever they may hold, and what it means, told image by image."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.datasets.items import Item, in_order
from kdbench_plugins.datasets.karpathy_files import csv_index, json_index
from tests.support.slow_tables import Refused
from tests.support.table_inputs import NO_CAPTIONS, good_captions
from tests.support.table_properties import MISSING, SPLITS, usable

FILES = ["1.jpg", "2.jpg", "photo.1.jpg", "photo.2.jpg", "photo.1.png", "part/1.jpg", "é.jpg"]
FIRST = [{"filename": f"{split}.jpg", "split": split, "sentences": [{"raw": split}]} for split in ("train", "val", "test")]
Read = dict[str, tuple[str, list[str]]]  # path → split and captions; no captions if they are refused

captions = st.one_of(*[good_captions] * 4, st.sampled_from([*NO_CAPTIONS, None, 7, {"raw": "a"}]))
sentences = st.one_of(
    *[st.lists(captions.map(lambda text: {"raw": text, "sentid": 3}), min_size=1, max_size=3)] * 4,
    st.sampled_from([[], None, ["a"], "a", {"raw": "a"}, [{"tokens": ["a"]}], [None]]),
)
ids = st.one_of(st.none(), st.integers(0, 5), st.sampled_from(["a", "", "nan", "None", 1.0, "1", True, [1], 1.5]))
images: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "filename": st.one_of(*[st.sampled_from(FILES)] * 5, st.sampled_from([None, "", 7, "a\0.jpg", "NaN"])),
        "split": st.one_of(*[st.sampled_from(list(SPLITS))] * 5, st.sampled_from(["tset", None])),
        "sentences": sentences,
    },
    optional={
        "filepath": st.sampled_from([None, "", "part", "part", "part", 7, "None"]),
        "imgid": ids,
        "cocoid": st.integers(),
    },
)
documents = st.lists(images, max_size=4).map(lambda found: [*FIRST, *found])


def make_files(root: Path) -> Path:
    """Every image that a document may name."""
    for name in [*FILES, *(f"part/{name}" for name in FILES), *(f"{split}.jpg" for split in ("train", "val", "test"))]:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def json_agrees(found: list[dict[str, Any]], root: Path) -> None:
    (root / "dataset_flickr30k.json").write_text(json.dumps({"images": found}), encoding="utf-8")
    try:
        expected: Read | None = slow_images(found)
    except Refused:
        expected = None
    assert read(root, json_index) == expected


def csv_agrees(found: list[dict[str, Any]], root: Path) -> None:
    """The CSV copy holds strings and no sentence other than strings."""
    rows = [
        {
            "raw": json.dumps([sentence["raw"] for sentence in image["sentences"]]),
            "split": image["split"],
            "filename": image["filename"],
            "filepath": image.get("filepath") or "",
            "img_id": "" if image.get("imgid") is None else str(image["imgid"]),
        }
        for image in found
        if isinstance(image["filename"], str) and isinstance(image["split"], str) and isinstance(image.get("filepath", ""), str)
        and isinstance(image["sentences"], list) and all(isinstance(s, dict) and "raw" in s for s in image["sentences"])
    ]  # fmt: skip
    with (root / "copy.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    held = [{**row, "sentences": [{"raw": text} for text in json.loads(row["raw"])], "imgid": row["img_id"]} for row in rows]
    try:
        expected: Read | None = slow_images(held)
    except Refused:
        expected = None
    assert read(root, csv_index) == expected


def read(root: Path, index: Any) -> Read | None:
    try:
        items: list[Item] = in_order(index(root, "flickr30k").read(), "the dataset")
    except KdbenchError as error:
        str(error).encode()
        return None
    found: Read = {}
    for item in items:
        name = str(item.blob.path.relative_to(root / "images"))
        assert item.blob.read().decode() == name  # the file of an image is the one of its name
        found[name] = (item.split, [] if item.error else list(item.captions))
    return found


def slow_images(found: list[dict[str, Any]]) -> Read:
    read: Read = {}
    seen: list[str] = []
    for image in found:
        name, folder = image["filename"], image.get("filepath") or ""
        if not isinstance(name, str) or not name or "\0" in name or not isinstance(folder, str) or image["split"] not in SPLITS:
            raise Refused
        if name.lower() in MISSING or folder.lower() in MISSING:
            raise Refused
        number = image.get("imgid")
        if isinstance(number, bool | list) or number == 1.5:
            raise Refused
        if number is not None and str(number).lower() not in ("", *MISSING):
            seen.append(str(int(number)) if isinstance(number, float) else str(number))
        path = f"{folder}/{name}" if folder else name
        if path in read or len(set(seen)) < len(seen):
            raise Refused
        told: list[Any] = image["sentences"] if isinstance(image["sentences"], list) else [None]
        texts: list[Any] = [sentence.get("raw") if isinstance(sentence, dict) else None for sentence in told]
        read[path] = (SPLITS[image["split"]], [text.strip() for text in texts] if texts and all(map(usable, texts)) else [])
    return read
