"""Files of vectors: both forms give the same, and what is wrong with one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import KdbenchError
from kdbench_plugins.teachers.vectors import Vectors, files_of, ids_beside
from tests.kdbench_plugins.teachers.test_parquet_vectors import lists, parquet

IDS = [f"{number}.jpg" for number in range(7)]
VALUES = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def npy(folder: Path, ids: list[str] = IDS, values: Any = VALUES) -> Path:
    path = folder / "images.npy"
    np.save(path, values)
    ids_beside(path).write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
    return path


def test_both_forms_give_the_vectors_of_ids(tmp_path: Path) -> None:
    wanted = ["5.jpg", "0.jpg", "5.jpg"]
    for path in (npy(tmp_path), parquet(tmp_path, values=lists(VALUES))):
        found = Vectors(path).of(wanted, "images")
        np.testing.assert_array_equal(found, VALUES[[5, 0, 5]])
        assert found.dtype == np.float32
        assert Vectors(path).width == 5


def test_a_npy_file_stays_on_disk(tmp_path: Path) -> None:
    assert isinstance(Vectors(npy(tmp_path))._values, np.memmap)


def test_ids_without_vectors_are_named_and_counted(tmp_path: Path) -> None:
    found = Vectors(npy(tmp_path))
    message = r"images\.npy: found no vectors of 2 of 3 images, such as 'a', 'b'; .* has 7 ids, such as '0\.jpg', '1\.jpg'"
    with pytest.raises(KdbenchError, match=message):
        found.of(["a", "1.jpg", "b"], "images")


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
