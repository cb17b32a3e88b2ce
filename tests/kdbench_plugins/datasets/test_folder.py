"""One's own images and a table of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kdbench import KdbenchError
from kdbench.data.dataset import SPLITS, CachedDataset
from kdbench.plugins.parameters import check_deeper
from kdbench.storage.cache import Cache
from kdbench.testing import check_dataset, conform
from kdbench_plugins.datasets.folder import Folder, kdbench_datasets
from tests.support.karpathy_forms import picture

SPLIT = ["train", "train", "train", "val", "val", "test", "test"]
Rows = list[dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for place in range(len(SPLIT)):
        Image.fromarray(picture(place)).save(tmp_path / "pictures" / f"{place}.jpg")
    return tmp_path


def rows() -> Rows:
    """A row an image, out of order."""
    found: Rows = [
        {"image": f"pictures/{place}.jpg", "caption": [f"picture {place}", f"[{place}] once more"], "split": split}
        for place, split in enumerate(SPLIT)
    ]
    return found[::-1]


def single(found: Rows) -> Rows:
    return [row | {"caption": caption} for row in found for caption in row["caption"]]


def write(path: Path, found: Rows) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(found[0]))
            writer.writeheader()
            lists = [
                row | {"caption": json.dumps(row["caption"])} if isinstance(row["caption"], list) else row for row in found
            ]
            writer.writerows(lists)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
    else:
        pq.write_table(pa.Table.from_pylist(found), path)
    return path


def folder(table: Path, **params: Any) -> Folder:
    return Folder(table=table, size=32, **params)


def test_every_table_is_the_same_dataset(root: Path) -> None:
    digests = {}
    for suffix in ("csv", "jsonl", "parquet"):
        for how in (list, single):
            dataset = folder(write(root / f"{how.__name__}.{suffix}", how(rows())))
            digests[suffix, how.__name__] = CachedDataset(dataset, Cache(root / f"{suffix}-{how.__name__}")).digest
            for name in SPLITS:
                split = dataset.split(name)
                places = [place for place, other in enumerate(SPLIT) if other[:3] == name[:3]]
                assert list(split.sources) == [str(root / "pictures" / f"{place}.jpg") for place in places]
                assert list(split.captions) == [t for p in places for t in (f"picture {p}", f"[{p}] once more")]
                assert split.image_concepts.tolist() == places
                assert split.caption_concepts.tolist() == [place for place in places for _ in range(2)]
    assert len(set(digests.values())) == 1, digests


def test_the_kit_agrees(root: Path) -> None:
    table = write(root / "table.csv", rows())
    check_dataset(lambda: folder(table))


def test_concepts(root: Path) -> None:
    """Two images of a dog match each other's captions."""
    named = [row | {"what": "dog" if row["image"] in ("pictures/0.jpg", "pictures/2.jpg") else row["image"]} for row in rows()]
    split = folder(write(root / "table.jsonl", named), concept="what").split("train")
    ids = split.image_concepts.tolist()
    assert ids[0] == ids[2] != ids[1]
    assert split.caption_concepts.tolist() == np.repeat(ids, 2).tolist()
    check_dataset(lambda: folder(root / "table.jsonl", concept="what"))
    named[0]["what"] = "dog"  # the last image, of the test split
    with pytest.raises(KdbenchError, match=r"the concept 'dog' is in two splits, which would leak: test .* and train"):
        folder(write(root / "table.jsonl", named), concept="what")
    named[0]["what"] = " "
    with pytest.raises(KdbenchError, match="row 1: what is empty"):
        folder(write(root / "table.jsonl", named), concept="what")


def test_other_names_and_another_root(root: Path, tmp_path: Path) -> None:
    renamed = [{"file": row["image"].removeprefix("pictures/"), "text": row["caption"], "part": row["split"]} for row in rows()]
    (tmp_path / "lists").mkdir()
    table = write(tmp_path / "lists" / "mine.jsonl", renamed)
    dataset = folder(table, root=root / "pictures", image="file", caption="text", split="part")
    expected = folder(write(root / "table.jsonl", rows()))
    for name in SPLITS:
        np.testing.assert_array_equal(np.stack(list(dataset.split(name).images)), np.stack(list(expected.split(name).images)))
    assert dataset.fingerprint != expected.fingerprint


def without(name: str) -> Rows:
    return [{key: value for key, value in row.items() if key != name} for row in rows()]


def changed(**changes: Any) -> Rows:
    """The rows with something else in the third."""
    found = rows()
    found[2] |= changes
    return found


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (without("split"), r"no column 'split' \(.*\); add one with train, validation or test for every image, or name"),
        ([{**row, "captions": row["caption"]} for row in without("image")], "no column 'image'"),
        ([{"image": row["image"], "captions": row["caption"], "split": "test"} for row in rows()], "did you mean 'captions'"),
        (changed(image=None), "row 3: image is None, expected the path"),
        (changed(split="trian"), "row 3: found the split 'trian'; did you mean 'train"),
        (changed(caption=["fine", "  "]), r"row 3 \(pictures/4.jpg\): caption 2 is empty"),
        (changed(caption=[]), "row 3 .*has no caption"),
        (changed(caption="x" * 10_000), r"caption 1 has 10,000 characters .*expected at most 5,000"),
        (changed(caption=7), "row 3 .*type int, expected a string or a list"),
        ([*rows(), rows()[0] | {"split": "train"}], r"the split of .*6.jpg is 'train', in an earlier row it is 'test'; .*leak"),
        ([*rows(), rows()[0] | {"split": "train", "image": "pictures/../pictures/6.jpg"}], r"6.jpg is 'train'.*would leak"),
        ([row for row in rows() if row["split"] != "test"], "no images of the split test; found train 3, validation 2"),
    ],
)
def test_bad_tables(root: Path, table: Rows, told: str) -> None:
    path = write(root / "table.jsonl", table)
    with pytest.raises(KdbenchError, match=told) as caught:
        folder(path).split("train")
    assert str(root) in str(caught.value)


def test_files_that_are_no_tables(root: Path) -> None:
    for name, content, told in (
        ("table.xlsx", b"PK", "ends in '.xlsx', expected .csv, .jsonl, .parquet"),
        ("table.jsonl", b'{"image": 1}\n{"image"', "line 2 is not JSON"),
        ("table.jsonl", b"[1, 2]\n", "expected an object"),
        ("table.csv", b"", "has no rows"),
        ("table.csv", b"image,caption\n\xff\xfe,a\n", "cannot be read"),
        ("table.parquet", b"PAR1", "not a complete Parquet file"),
    ):
        (root / name).write_bytes(content)
        with pytest.raises(KdbenchError, match=told):
            folder(root / name)


def test_no_table(root: Path) -> None:
    [offer] = kdbench_datasets()
    with pytest.raises(KdbenchError, match=r"no table is given; set `table:` to a CSV, JSONL or Parquet file"):
        check_deeper(offer, {})
    with pytest.raises(KdbenchError, match=r"there is no file .*none.csv"):
        check_deeper(offer, {"table": str(root / "none.csv")})
    with pytest.raises(KdbenchError, match=r"root: .*nowhere is not a folder"):
        check_deeper(offer, {"table": str(write(root / "table.csv", rows())), "root": str(root / "nowhere")})


def test_the_example_conforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path))
    findings = conform(kdbench_datasets()[0], "dataset")
    assert [finding for finding in findings if finding.outcome == "fails"] == []
