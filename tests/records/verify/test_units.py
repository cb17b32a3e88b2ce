"""The test units of datasets, from files beside records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.records.files import units_path, write_units
from kdbench.records.reading import read_measured
from kdbench.records.verify import verify
from tests.support.made_records import DIGEST, edit, made, several, whats

UNITS = {"images": np.arange(20) // 2, "captions": np.arange(30) // 3}


def with_units(results: Path, count: int = 2) -> list[Path]:
    paths = several(results, count)
    sha256 = write_units(paths[0], DIGEST, UNITS)
    for path in paths:
        edit(path, lambda record: record.update(units_sha256=sha256))
    return paths


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(b"zip"), "its sha256 is "),
    ],
)
def test_units_that_are_not_the_records(damage: Callable[[Path], object], told: str, tmp_path: Path) -> None:
    """The records stay usable: their own figures do not need the units."""
    paths = with_units(tmp_path)
    damage(units_path(paths[0], DIGEST))
    found = read_measured([tmp_path])
    (problem,) = found.problems
    assert (problem.path, problem.what) == (str(units_path(paths[0], DIGEST)), "test units unusable")
    assert problem.found.startswith(told)
    assert (len(found.runs), found.units) == (2, {})
    assert verify([tmp_path])[1] == found.problems


@pytest.mark.parametrize(
    ("units", "what"),
    [
        (UNITS | {"images": np.arange(19) // 2}, "units of another split"),
        (UNITS | {"captions": np.arange(30) // 6}, None),  # ten concepts still
        ({"images": np.arange(20) // 4, "captions": np.arange(30) // 6}, "units of another split"),
        ({"images": np.arange(20) // 2}, "arrays"),
        (UNITS | {"sounds": np.arange(20)}, "arrays"),
        (UNITS | {"images": np.arange(20) / 2}, "test units unusable"),
        (UNITS | {"images": np.zeros((20, 1), int)}, "test units unusable"),
        (UNITS | {"images": np.zeros(10**6, int)}, "test units unusable"),
    ],
)
def test_units_that_no_split_of_the_record_has(units: dict[str, Any], what: str | None, tmp_path: Path) -> None:
    path = made(tmp_path)
    np.savez_compressed(units_path(path, DIGEST), **units)
    assert whats(read_measured([tmp_path]).problems) == ([what] if what else [])


def test_units_of_another_folder(tmp_path: Path) -> None:
    first, second = made(tmp_path / "a"), made(tmp_path / "b", 1)
    write_units(first, DIGEST, UNITS)
    write_units(second, DIGEST, UNITS | {"captions": UNITS["captions"][::-1]})
    found = read_measured([tmp_path / "a", tmp_path / "b"])
    assert whats(found.problems) == ["test units that differ between folders"]
    np.testing.assert_array_equal(found.units[DIGEST]["captions"], UNITS["captions"])
