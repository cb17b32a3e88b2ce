"""Parquet files of images: told apart by name and bytes, their captions by the column and the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from kdbench import KdbenchError
from kdbench_plugins.datasets.parquet import parquet_index
from tests.support.fuzzing import some
from tests.support.parquet_properties import images_agree, parquet_images


@given(parquet_images())
@some
def test_as_the_slow_reader(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    images_agree(rows, tmp_path)


def read(path: Path, **columns: Any) -> list[Any]:
    count = len(next(iter(columns.values())))
    images = [{"bytes": b"%d" % number, "path": f"{number}.jpg"} for number in range(count)]
    pq.write_table(pa.table({"image": images, "split": ["train"] * count, **columns}), path)
    index = parquet_index(path.parent, "flickr30k")
    assert index is not None
    found: list[Any] = index.read()
    assert (index.notes == []) == (len({"caption", "raw", "text"} & columns.keys()) == 1)
    return found


def test_lists_in_text_cells(tmp_path: Path) -> None:
    """The CSV copy's column `raw` holds JSON; Python's notation is none."""
    items = read(tmp_path / "t.parquet", raw=['["a dog", "a puppy"]', "a cat", "['a', 'b']"])
    assert [item.captions for item in items] == [("a dog", "a puppy"), ("a cat",), ()]
    assert "row 2 (2.jpg): caption 1: found" in items[2].error
    assert "a list as text" in items[2].error


def test_the_column_of_captions_is_told_if_there_are_several(tmp_path: Path) -> None:
    items = read(tmp_path / "t.parquet", text=["a"], caption=["b"])
    assert items[0].captions == ("b",)
    index = parquet_index(tmp_path, "flickr30k")
    assert index is not None
    index.read()
    assert index.notes == [f"{tmp_path / 't.parquet'}: captions are those of the column 'caption', not of 'text'"]


def test_ids(tmp_path: Path) -> None:
    items = read(tmp_path / "t.parquet", caption=[["a"], ["b"], ["c"]], img_id=[float("nan"), 1.0, None])
    assert [item.image_id for item in items] == ["", "1", ""]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train-00000-of-00001", "train"), ("flickr_val", "validation"), ("test.part", "test"), ("restval", "train")],
)
def test_splits_in_names(tmp_path: Path, name: str, split: str) -> None:
    table = pa.table({"image": [{"bytes": b"1", "path": "1.jpg"}], "caption": ["a"]})
    pq.write_table(table, tmp_path / f"{name}.parquet")
    index = parquet_index(tmp_path, "flickr30k")
    assert index is not None
    assert [item.split for item in index.read()] == [split]
    pq.write_table(table, tmp_path / "val-test.parquet")
    index = parquet_index(tmp_path, "flickr30k")
    assert index is not None
    with pytest.raises(
        KdbenchError, match=r"val-test.parquet: its name holds several splits \(test, validation\); expected one"
    ):
        index.read()


def test_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"t.parquet: row 0: name of the image: found 'a.x00', with a null character"):
        read(tmp_path / "t.parquet", caption=["a"], filename=["a\0"])


def test_a_file_that_takes_the_place_of_another(tmp_path: Path) -> None:
    """What was read from the first is not given for the second."""
    [item] = read(tmp_path / "t.parquet", caption=["a"])
    assert item.blob.read() == b"0"
    images = [{"bytes": b"another", "path": "0.jpg"}]
    pq.write_table(pa.table({"image": images, "split": ["train"], "caption": ["a"]}), tmp_path / "t.parquet")
    assert item.blob.read() == b"another"


def test_folders_that_are_called_like_files(tmp_path: Path) -> None:
    """As Spark writes them, with the split in the folder's name."""
    for split in ("train", "test"):
        (tmp_path / f"{split}.parquet").mkdir()
        table = pa.table({"image": [{"bytes": b"1", "path": f"{split}.jpg"}], "caption": ["a"]})
        pq.write_table(table, tmp_path / f"{split}.parquet" / "part-0.parquet")
    index = parquet_index(tmp_path, "flickr30k")
    assert index is not None
    assert [item.split for item in index.read()] == ["test", "train"]
