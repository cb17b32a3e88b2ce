"""Gains over equal weights, regime by regime."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.reports import build
from kdbench.reports.regimes import maps
from tests.support.rankings import changed, row
from tests.support.situations import regime, situations
from tests.support.toys import plugged


def test_a_gain_is_the_paired_difference_to_equal_weights_and_positive_where_better() -> None:
    """Lower log-ranks are better: a gain of .2 is a mean log-rank .2 lower."""
    board = build(regime("wrong", {"good": 2.0, "bad": 4.0}))
    (found,) = board.regimes
    (table,) = board.tables
    means = {one.strategy: one.values["log_rank"].mean for one in table.rows}
    assert [gain.label for gain in found.gains] == ["good", "bad"]
    for gain in found.gains:
        assert gain.mean == pytest.approx(means["equal"] - means[gain.label])
        assert gain.low < gain.mean < gain.high
        assert gain.by_metric["log_rank"] == pytest.approx(gain.mean)
        assert np.sign(gain.by_metric["rsum"]) == np.sign(gain.mean)
    assert [gain.found for gain in found.gains] == ["better", "worse"]


def test_one_run_beside_other_work_does_not_make_all_look_long() -> None:
    runs = [
        changed(run, timings={"train": 900.0 if place == 1 else 30.0, "evaluate": 1.0})
        for place, run in enumerate(regime("wrong", {"good": 2.0}))
    ]
    (found,) = build(runs).regimes
    assert found.seconds == 31 * found.runs == 31 * len(runs)


def test_what_is_found_is_what_the_table_tested() -> None:
    board = build(situations())
    for one in board.regimes:
        rows = {line.id: place for place, line in enumerate(one.table.rows)}
        base = next(place for place, line in enumerate(one.table.rows) if line.strategy == "equal")
        for gain in one.gains:
            place = rows[gain.row.id]
            assert (gain.found == "better") == bool(one.table.better[place, base])
            assert (gain.found == "worse") == bool(one.table.better[base, place])


def test_regimes_have_tables_of_their_own_and_other_tables_are_none() -> None:
    board = build([*situations(), *row("equal"), *row("other")])
    assert sorted(one.name for one in board.regimes) == ["alike", "mixed", "wrong"]
    assert len(board.tables) == 4
    assert {one.name: one.runs for one in board.regimes} == {"alike": 16, "wrong": 20, "mixed": 16}


def test_labels_of_rows_without_a_strategy() -> None:
    found = {one.name: {gain.label for gain in one.gains} for one in build(situations()).regimes}
    assert found["alike"] == {"good", "bad", "single teacher"}
    assert found["wrong"] == {"good", "bad", "told", "no distillation"}
    assert {gain.label for one in build(situations()).regimes for gain in one.weightings} == {"good", "bad", "told"}


def test_a_single_seed_detects_nothing() -> None:
    (one,) = build(regime("alike", {"good": 2.0}, seeds=1)).regimes
    assert one.gains[0].detectable == {}
    (one,) = build(regime("alike", {"good": 2.0})).regimes
    assert set(one.gains[0].detectable) == {"log_rank", "rsum"}


def test_strategies_with_a_single_seed_do_not_count_in_what_a_regime_resolves() -> None:
    """They say nothing of it: counted as 0, they made a regime look finer than it is."""
    runs = regime("alike", {"good": 2.0, "other": 3.0})
    (several,) = build(runs).regimes
    (one,) = build([run for run in runs if run.record.spec.cell_label.endswith(("equal", "good")) or run.seed == 0]).regimes
    for metric in (one.table.headline, next(metric for metric in one.table.metrics if metric.name == "rsum")):
        found = {gain.label: gain.detectable.get(metric.name) for gain in one.gains}
        assert found["other"] is None
        assert one.resolves(metric) == found["good"]
        assert several.resolves(metric) is not None
    (none,) = build([run for run in runs if run.seed == 0]).regimes
    assert none.resolves(none.headline) is None


def test_a_regime_without_equal_weights_has_no_gains() -> None:
    kept = [
        run for run in regime("alike", {"good": 2.0}) if run.record.spec.strategy and run.record.spec.strategy.use != "equal"
    ]
    assert build(kept).regimes == []


def test_rows_of_a_team_are_compared_with_equal_weights_of_that_team() -> None:
    """Equal weights of the larger team are worse; a strategy is as good as equal weights of its own team."""
    spec = {"variant": "two teams", "regime": True}
    larger = [
        run
        for name, draw in (("equal", 10), ("good", 11))
        for run in row(name, 3.8, range(4), draw=draw, team=("a", "b", "c"), spec=spec)
    ]
    smaller = [run for name, draw in (("equal", 12), ("good", 13)) for run in row(name, 2.0, range(4), draw=draw, spec=spec)]
    (found,) = build([*larger, *smaller]).regimes
    assert {gain.label for gain in found.gains} == {"good of a + b + c", "good of a + b"}
    assert all(abs(gain.mean) < 30 for gain in found.gains)


def test_rows_that_share_no_seed_with_equal_weights_have_no_gain() -> None:
    spec = {"variant": "torn", "regime": True}
    runs = [*row("equal", seeds=(0, 1), spec=spec), *row("good", seeds=(2, 3), draw=1, spec=spec)]
    assert build(runs).regimes == []


def test_regimes_that_differ_in_more_than_their_situation_are_maps_apart() -> None:
    """By another primary metric, and by another student: no paragraph adds them up."""
    other = [
        changed(run, spec=spec, run_id=spec.run_id, cell_id=spec.cell_id)
        for run in regime("wrong", {"good": 4.0})
        for spec in [run.record.spec.replace(student=plugged("toy", "larger", width=9))]
    ]
    found = maps(build([*situations(), *other]).regimes)
    assert sorted([one.name for one in group] for group in found) == [["alike", "mixed", "wrong"], ["wrong"]]
