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


def with_synthetic(column: list[Any]) -> Rows:
    """The rows with what a model wrote of each image, in the order of the images."""
    return [row | {"syn": cell} for row, cell in zip(rows()[::-1], column, strict=True)]


SYNTHETIC: list[Any] = [["a photo", "shot 0"], "shot 1", "", "unused", "unused", "", "unused"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("how", [list, single])
def test_synthetic_captions_are_drawn_with_their_share(form: str, how: Any, root: Path) -> None:
    """They are of the train split alone; an image without any is shown with its own captions."""
    table = with_synthetic([json.dumps(cell) if isinstance(cell, list) and form == "csv" else cell for cell in SYNTHETIC])
    dataset = folder(write(root / f"table.{form}", how(table)), synthetic="syn", synthetic_share=0.75)
    split = dataset.split("train")
    assert split.captions[:4] == ("picture 0", "[0] once more", "a photo", "shot 0")
    assert split.captions[4:] == ("picture 1", "[1] once more", "shot 1", "picture 2", "[2] once more")
    assert tuple(split.caption_weights) == (0.125, 0.125, 0.375, 0.375, 0.125, 0.125, 0.75, 0.5, 0.5)
    ids = ["#0", "#1", "#synthetic0", "#synthetic1"]
    assert list(split.caption_ids[:4]) == [f"pictures/0.jpg{position}" for position in ids]
    for name in ("validation", "test"):
        assert not any("unused" in caption for caption in dataset.split(name).captions)
        assert len(dataset.split(name).caption_weights) == 0
    check_dataset(lambda: folder(root / f"table.{form}", synthetic="syn"))


def test_the_share_of_synthetic_captions_identifies_a_dataset(root: Path) -> None:
    path = write(root / "table.jsonl", with_synthetic(SYNTHETIC))
    made = [folder(path), *(folder(path, synthetic="syn", synthetic_share=share) for share in (0.25, 0.75))]
    assert len({dataset.fingerprint for dataset in made}) == 3
    cached = [CachedDataset(dataset, Cache(root / "cache")) for dataset in made]
    assert len({dataset.digest for dataset in cached}) == 3
    for dataset, plain in zip(cached, made, strict=True):
        np.testing.assert_array_equal(dataset.split("train").caption_weights, plain.split("train").caption_weights)


def test_synthetic_captions_that_are_none(root: Path) -> None:
    path = write(root / "table.jsonl", with_synthetic([0, *SYNTHETIC[1:]]))
    with pytest.raises(KdbenchError, match=r"row 1 \(pictures/0\.jpg\): syn: found captions of type int, expected"):
        folder(path, synthetic="syn").split("train")
    with pytest.raises(KdbenchError, match=r"has no column 'synthetic'; name yours with `synthetic:`\. "):
        folder(path, synthetic="synthetic").split("train")
    unread = write(root / "unread.jsonl", with_synthetic(["", [], None, "unused", "unused", "", "unused"]))
    with pytest.raises(KdbenchError, match=r"unread\.jsonl: syn: found no caption of a train image; expected some"):
        folder(unread, synthetic="syn").split("train")


def test_cells_without_synthetic_captions(root: Path) -> None:
    """However they are written; a note says what was read."""
    for form in ("csv", "jsonl"):
        empty = "[]" if form == "csv" else []
        dataset = folder(write(root / f"table.{form}", with_synthetic(["seen", empty, " ", "", "", "", ""])), synthetic="syn")
        assert len(dataset.split("train").captions) == 7
        assert dataset.notes == ("1 synthetic captions of 1 of 3 train images",)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"synthetic": "caption"}, "synthetic: found 'caption', the column of `caption:`; expected another one"),
        ({"synthetic_share": 0.7}, "synthetic_share: found 0.7 without `synthetic:`"),
    ],
)
def test_synthetic_captions_without_effect_are_refused(root: Path, params: dict[str, Any], told: str) -> None:
    path = write(root / "table.jsonl", with_synthetic(SYNTHETIC))
    (offer,) = kdbench_datasets()
    with pytest.raises(KdbenchError, match=told):
        check_deeper(offer, {"table": str(path), **params})


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
