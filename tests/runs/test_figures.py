"""Figures of a training beside the same training done again."""

from __future__ import annotations

from pathlib import Path

from kdbench.records.files import read_record
from kdbench.records.trace import Trace
from kdbench.runs.figures import other_figures, other_trace
from tests.support.made_records import TRACE, made


def test_figures_that_differ_are_named(tmp_path: Path) -> None:
    record = read_record(made(tmp_path))
    assert other_figures(record, record) == []
    weights = {"a": record.weights["a"] + 0.25}
    other = record.replace(best_epoch=1, weights=weights, validation=record.validation | {"rsum": 9.5})
    assert other_figures(record, other) == [
        f"validation.rsum: recorded as {record.validation['rsum']:.6g}, now 9.5",
        f"weights.a: recorded as {record.weights['a']:.6g}, now {weights['a']:.6g}",
        f"weights.b: recorded as {record.weights['b']:.6g}, now none",
        "best_epoch: recorded as 2, now 1",
    ]


def test_columns_of_a_trace_that_differ_are_named() -> None:
    rounded = TRACE.model_copy(update={"loss": [value + 1e-6 for value in TRACE.loss]})
    older = TRACE.model_copy(update={"cosines": {}, "conflict": []})
    assert other_trace(TRACE, rounded) == other_trace(older, TRACE) == other_trace(Trace(), TRACE) == []
    other = TRACE.model_copy(update={"loss": [3.0, 2.5, 1.75], "report": {"x": [None] * 3}})
    (told,) = other_trace(TRACE, other)
    assert told == "trace.loss: other in 2 of 3 windows, first to step 10, recorded as 2, now 2.5; by at most 0.5"
    (told,) = other_trace(TRACE, Trace(step=[6], loss=[1.0]))
    assert told == "trace: recorded 3 windows to step 12, now 1 window to step 6"


def test_columns_beyond_six_are_counted() -> None:
    one = {f"t{index}": [0.125] * 3 for index in range(8)}
    old, new = (Trace(step=[1, 2, 3], weights={name: [by] * 3 for name in one}) for by in (0.125, 0.5))
    assert len(other_trace(old, new)) == 7
    assert other_trace(old, new)[-1] == "trace: 2 more columns differ"
