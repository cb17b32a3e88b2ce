"""Everything a leaderboard is made from, read from folders and bundles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.records.files import read_arrays, read_record, read_trace, write_units
from kdbench.records.reading import read_measured
from kdbench.records.submit import submit
from kdbench.records.trace import Trace
from tests.support.fuzzing import some
from tests.support.made_records import DIGEST, arrays_path, edit, made, several, trace_path, tuned
from tests.support.paths import ROOT
from tests.support.record_inputs import Change, changes, cuts, holds_for_record

UNITS = {"images": np.arange(20) // 2, "captions": np.arange(30) // 3}


def with_units(results: Path, count: int = 2) -> list[Path]:
    paths = several(results, count)
    sha256 = write_units(paths[0], DIGEST, UNITS)
    for path in paths:
        edit(path, lambda record: record.update(units_sha256=sha256))
    return paths


@pytest.mark.parametrize("bundled", [False, True])
def test_runs_with_their_arrays_traces_and_units(bundled: bool, tmp_path: Path) -> None:
    paths = with_units(tmp_path / "results")
    place = tmp_path / "results"
    if bundled:
        place = submit([place], tmp_path / "b.zip").path
    found = read_measured([place])
    assert found.problems == []
    assert sorted(run.record.run_id for run in found.runs) == sorted(path.stem for path in paths)
    for run in found.runs:
        (path,) = [path for path in paths if path.stem == run.record.run_id]
        expected, arrays = read_arrays(path), run.arrays()
        assert arrays.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(arrays[name], values)
        assert run.trace() == read_trace(path)
        measured = run.task.measure(arrays)  # a metric that the task has gained since is in no old record
        assert {name: measured[name] for name in run.record.metrics} == pytest.approx(run.record.metrics)
    units = found.units[DIGEST]
    np.testing.assert_array_equal(units["images"][:, None] == units["captions"], UNITS["images"][:, None] == UNITS["captions"])


def test_records_from_before_there_were_units(tmp_path: Path) -> None:
    paths = several(tmp_path / "results", 2)
    assert read_measured([tmp_path]).units == {}
    write_units(paths[0], DIGEST, UNITS)
    found = read_measured([tmp_path])
    assert (set(found.units), found.problems) == ({DIGEST}, [])


def test_unfinished_runs_are_apart(tmp_path: Path) -> None:
    made(tmp_path, status="failed", reason="out of disk", metrics={}, arrays_sha256=None, trace=False)
    found = read_measured([tmp_path])
    assert (found.runs, [record.reason for record in found.unfinished]) == ([], ["out of disk"])


def test_damaged_arrays_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    path = made(tmp_path)
    arrays_path(path).write_bytes(arrays_path(path).read_bytes()[:-9])
    (run,) = read_measured([tmp_path]).runs
    with pytest.raises(RecordError, match="arrays unusable"):
        run.arrays()


def test_metrics_that_do_not_follow_from_the_arrays_are_told(tmp_path: Path) -> None:
    """Consistent with each other, so that the record alone does not show it."""
    path = made(tmp_path)

    def flatter(record: dict[str, dict[str, float]]) -> None:
        metrics = record["metrics"]
        metrics["image_retrieval_recall@5"] += 0.01
        metrics["rsum"] = 100 * sum(value for name, value in metrics.items() if "@" in name)
        metrics["mean_recall"] = metrics["rsum"] / 4

    edit(path, flatter)
    found = read_measured([tmp_path])
    assert found.problems == []
    with pytest.raises(RecordError, match=r"image_retrieval_recall@5 does not follow from the arrays"):
        found.runs[0].arrays()


@pytest.mark.parametrize("damage", ["none", "cut", "other"])
def test_a_damaged_trace_is_as_none(damage: str, tmp_path: Path) -> None:
    path = made(tmp_path, trace=damage != "none")
    if damage == "cut":
        trace_path(path).write_text("{")
    if damage == "other":
        trace_path(path).write_text('{"step": [1]}')
    assert read_measured([tmp_path]).runs[0].trace() == Trace()


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file or folder"):
        read_measured([tmp_path / "nowhere"])


def test_the_published_records_are_read() -> None:
    """With the units of their datasets."""
    found = read_measured([ROOT / "results"])
    assert found.problems == []
    assert len(found.runs) >= 211
    assert found.units
    assert {run.protocol.task.use for run in found.runs} == {"retrieval", "forecasting"}


def test_a_damaged_record_is_refused_or_read_and_shown(tmp_path: Path) -> None:
    """Whatever it holds, the folder's leaderboard and `verify` end in words; tests/faults tries 10,000."""
    whole = [made(tmp_path / "plain"), tuned(tmp_path / "tuned")[1][0]]

    @some
    @given(st.sampled_from(whole), changes, cuts)
    def check(path: Path, done: list[Change], cut: float) -> None:
        holds_for_record(tmp_path / "damaged", path, done, cut)

    check()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_numbers_are_finite(number: str, tmp_path: Path) -> None:
    """Written again, they would be null, which no reader takes."""
    path = made(tmp_path / "metric")
    edit(path, lambda record: record["metrics"].update(rsum="@@"), seal=False)
    path.write_text(path.read_text().replace('"@@"', number))
    with pytest.raises(RecordError, match=r"not a record: metrics\.rsum: "):
        read_record(path)
    path = made(tmp_path / "parameter")
    edit(path, lambda record: record["spec"]["student"]["params"].update(inner=[{"deep": "@@"}]), seal=False)
    path.write_text(path.read_text().replace('"@@"', number))
    with pytest.raises(RecordError, match=r"not a record: spec\.student\.params: .*expected a finite number"):
        read_record(path)
