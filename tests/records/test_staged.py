"""A run's files take their places together, or stay out of the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdbench.records.files import find_records, read_record, write_arrays
from kdbench.records.record import Record
from kdbench.records.staged import FOLDER, discard, publish, staged
from kdbench.suite.spec import RunSpec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny" / "0123456789ab.json"


def test_they_are_no_records_before(path: Path, spec: Callable[..., RunSpec], record: Callable[..., Record]) -> None:
    made = record(spec(), arrays_sha256=write_arrays(staged(path), {"text": np.arange(3)}))
    assert find_records([path.parent]) == []
    publish(path, made)
    assert read_record(path) == made
    assert sorted(os.listdir(path.parent)) == ["0123456789ab.json", "0123456789ab.test.npz"]


def test_discarded(path: Path) -> None:
    discard(path)
    other = path.with_name("ba9876543210.json")
    for one in (path, other):
        write_arrays(staged(one), {"text": np.arange(3)})
    discard(path)
    assert os.listdir(path.parent / FOLDER) == ["ba9876543210.test.npz"]
    discard(other)
    assert os.listdir(path.parent) == []


def test_a_record_that_cannot_be_written_leaves_the_earlier_one(
    path: Path, spec: Callable[..., RunSpec], record: Callable[..., Record]
) -> None:
    publish(path, record(spec(), rsum=1.0))
    write_arrays(staged(path), {"text": np.arange(3)})
    staged(path).with_suffix(".record").mkdir()  # in its place
    with pytest.raises(OSError, match="Is a directory"):
        publish(path, record(spec(), rsum=2.0))
    assert read_record(path).metrics["rsum"] == 1.0
    assert not path.with_suffix(".test.npz").exists()
