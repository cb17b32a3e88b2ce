"""Files of vectors: both forms give the same, and what is wrong with one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from kdbench import KdbenchError
from kdbench_plugins.teachers.vectors import Vectors, files_of, ids_beside

IDS = [f"{number}.jpg" for number in range(7)]
VALUES = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def npy(folder: Path, ids: list[str] = IDS, values: Any = VALUES) -> Path:
    path = folder / "images.npy"
    np.save(path, values)
    ids_beside(path).write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
    return path


def parquet(
    folder: Path, ids: list[Any] = IDS, values: Any = VALUES, kind: Any = None, names: tuple[str, str] = ("id", "embedding")
) -> Path:
    path = folder / "images.parquet"
    table = pyarrow.table({names[0]: ids, names[1]: pyarrow.array([row and list(row) for row in values], kind)})
    pyarrow.parquet.write_table(table, path, row_group_size=3)
    return path


def lists(values: Any) -> list[list[float]]:
    return [[float(value) for value in row] for row in values]


def test_both_forms_give_the_vectors_of_ids(tmp_path: Path) -> None:
    wanted = ["5.jpg", "0.jpg", "5.jpg"]
    for path in (npy(tmp_path), parquet(tmp_path, values=lists(VALUES))):
        found = Vectors(path).of(wanted, "images")
        np.testing.assert_array_equal(found, VALUES[[5, 0, 5]])
        assert found.dtype == np.float32
        assert Vectors(path).width == 5


@pytest.mark.parametrize(
    "kind",
    [
        pyarrow.list_(pyarrow.float32()),
        pyarrow.large_list(pyarrow.float64()),
        pyarrow.list_(pyarrow.float32(), 5),
    ],
)
def test_parquets_kinds_of_lists(tmp_path: Path, kind: Any) -> None:
    found = Vectors(parquet(tmp_path, values=lists(VALUES), kind=kind, names=("key", "v")), "key", "v").of(IDS, "images")
    np.testing.assert_array_equal(found, VALUES)


def test_numbers_are_ids_as_text(tmp_path: Path) -> None:
    path = parquet(tmp_path, ids=list(range(7)), values=lists(VALUES))
    np.testing.assert_array_equal(Vectors(path).of(["6", "2"], "images"), VALUES[[6, 2]])


def test_a_npy_file_stays_on_disk(tmp_path: Path) -> None:
    assert isinstance(Vectors(npy(tmp_path))._content[1], np.memmap)


def test_ids_without_vectors_are_named_and_counted(tmp_path: Path) -> None:
    vectors = Vectors(npy(tmp_path))
    message = r"images\.npy: found no vectors of 2 of 3 images, such as 'a', 'b'; .* has 7 ids, such as '0\.jpg', '1\.jpg'"
    with pytest.raises(KdbenchError, match=message):
        vectors.of(["a", "1.jpg", "b"], "images")


def broken(row: int, value: float) -> Any:
    values = VALUES.copy()
    values[row] = value
    return values


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: npy(folder, [*IDS[:6], "0.jpg"]), r"found 1 ids more than once, such as '0\.jpg'"),
        (lambda folder: npy(folder, [*IDS[:6], " "]), "row 7: found no id"),
        (lambda folder: npy(folder, IDS[:6]), r"images\.ids\.txt: found 6 lines; expected 7"),
        (lambda folder: npy(folder, values=VALUES[0]), r"found float32 of shape \[5\]; expected floats \[rows, width\]"),
        (lambda folder: npy(folder, values=VALUES.astype(np.int64)), "found int64"),
        (lambda folder: npy(folder, values=broken(3, 0.0)), r"found 1 vectors of images that are zero .* '3\.jpg'"),
        (lambda folder: npy(folder, values=broken(3, np.nan)), r"found 1 vectors of images that are zero .* '3\.jpg'"),
        (lambda folder: parquet(folder, [None, *IDS[1:]], lists(VALUES)), "row 1: found no id"),
        (lambda folder: parquet(folder, values=lists(VALUES), names=("name", "embedding")), "has no column 'id'"),
        (lambda folder: parquet(folder, values=[*lists(VALUES[:6]), [1.0]]), r"found vectors of widths \[1, 5\]"),
        (lambda folder: parquet(folder, values=[[1.0], *lists(VALUES[:6])]), "found lists of lengths 1, 5"),
        (lambda folder: parquet(folder, values=[None, *lists(VALUES[:6])]), "found lists of lengths 5, none"),
        (lambda folder: parquet(folder, values=[["x"]] * 7), "expected lists of floats"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, write: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        Vectors(write(tmp_path)).of(IDS, "images")


def test_a_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = npy(tmp_path)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(KdbenchError, match=r"images\.npy: cannot be read"):
        Vectors(path).of(IDS, "images")


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    assert files_of(parquet(tmp_path, values=lists(VALUES))) == [tmp_path / "images.parquet"]
    path = npy(tmp_path)
    assert files_of(path) == [path, tmp_path / "images.ids.txt"]
    ids_beside(path).unlink()
    with pytest.raises(
        KdbenchError, match=r"images\.ids\.txt: found no such file; expected one: the ids of the rows of images"
    ):
        files_of(path)
    with pytest.raises(KdbenchError, match=r"ends in '\.pt'; expected \.npy or \.parquet"):
        files_of(tmp_path / "a.pt")
