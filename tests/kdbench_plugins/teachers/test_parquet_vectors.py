"""Vectors in Parquet: kinds of lists, and what is no vector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from kdbench import KdbenchError
from kdbench_plugins.teachers import parquet_vectors
from kdbench_plugins.teachers.vectors import Vectors

IDS = [f"{number}.jpg" for number in range(7)]
VALUES = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def parquet(
    folder: Path, ids: list[Any] = IDS, values: Any = VALUES, kind: Any = None, names: tuple[str, str] = ("id", "embedding")
) -> Path:
    path = folder / "images.parquet"
    table = pyarrow.table({names[0]: ids, names[1]: pyarrow.array([row and list(row) for row in values], kind)})
    pyarrow.parquet.write_table(table, path, row_group_size=3)
    return path


def lists(values: Any) -> list[list[float]]:
    return [[float(value) for value in row] for row in values]


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


def test_ids_and_width_are_known_without_reading_all_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose embeddings are cached reads no more."""
    read: list[int] = []
    matrix = parquet_vectors._matrix

    def counted(column: Any, where: str) -> Any:
        read.append(len(column))
        return matrix(column, where)

    monkeypatch.setattr(parquet_vectors, "_matrix", counted)
    found = Vectors(parquet(tmp_path, values=lists(VALUES)))
    found.refuse_missing(IDS, "images")
    assert (found.width, read) == (5, [3])  # a row group


@pytest.mark.parametrize(
    ("write", "message"),
    [
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
