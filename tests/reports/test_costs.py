"""What training a row has cost."""

from __future__ import annotations

import pytest

from kdbench.reports.costs import cost, uses_of
from kdbench.suite.spec import TaskDataset
from tests.support.rankings import changed, row


def test_teachers_are_shared_by_the_runs_that_used_them() -> None:
    """Six runs read images with `a`, three of them with `b` as well."""
    both = row("equal", encodings={"a": 60.0, "b": 30.0}, timings={"teacher": 90.0})
    alone = row("x", team=("a",), encodings={"a": 60.0}, timings={"teacher": 60.0})
    used = uses_of([*both, *alone])
    assert used == {"a": 6, "b": 3}
    assert cost(both, used).teacher_seconds == pytest.approx(60 / 6 + 30 / 3)
    assert cost(alone, used).teacher_seconds == pytest.approx(60 / 6)
    everyone = 3 * (cost(both, used).teacher_seconds or 0) + 3 * (cost(alone, used).teacher_seconds or 0)
    assert everyone == pytest.approx(60 + 30)  # nothing is paid twice


def test_older_records_share_what_their_team_took() -> None:
    equal, other = (row(name, timings={"teacher": 90.0, "train": 8.0}) for name in ("equal", "ammkd"))
    used = uses_of([*equal, *other])
    assert cost(equal, used).teacher_seconds == pytest.approx(90 / 6)
    elsewhere = row("equal", timings={"teacher": 90.0, "train": 8.0}, dataset_digest="f" * 64)
    assert cost(elsewhere, uses_of([*equal, *elsewhere])).teacher_seconds == pytest.approx(90 / 3)


def test_a_student_that_is_evaluated_elsewhere_as_well_is_trained_once() -> None:
    runs = row("equal", encodings={"a": 60.0}, timings={"teacher": 60.0})
    spec = runs[0].record.spec
    on = TaskDataset(task=spec.task, dataset=spec.dataset)
    elsewhere = [changed(run, spec=run.record.spec.replace(trained_on=on), encodings={"b": 3.0}) for run in runs]
    used = uses_of([*runs, *elsewhere, *elsewhere])
    assert used == {"a": 3}
    assert cost(runs, used).teacher_seconds == pytest.approx(60 / 3)
    assert cost(elsewhere, used).teacher_seconds == pytest.approx(3)


def test_no_teacher_costs_nothing() -> None:
    none = row("none", team=(), timings={"teacher": 0.0, "train": 8.0})
    assert cost(none, uses_of(none)).teacher_seconds == 0


def test_medians_over_seeds() -> None:
    """One run whose machine was busy does not count for more than another."""
    runs = [
        changed(run, timings={"train": seconds, "strategy": seconds / 4}, peak_mb=100 * seconds)
        for run, seconds in zip(row("equal"), (8.0, 10.0, 90.0), strict=True)
    ]
    found = cost(runs, uses_of(runs))
    assert (found.train_seconds, found.strategy_share, found.peak_mb) == pytest.approx((10.0, 0.25, 1000.0))


def test_what_one_record_does_not_tell_is_not_told() -> None:
    runs = row("equal", timings={"train": 8.0})
    runs[0] = changed(runs[0], peak_mb=5.0)
    found = cost(runs, uses_of(runs))
    assert (found.peak_mb, found.strategy_share) == (None, None)
    assert found.teacher_seconds is None
    single = row("x", team=("a",), timings={"train": 8.0, "strategy": 0.0})
    assert cost(single, uses_of(single)).strategy_share is None  # there is none
