"""One family's rows: intervals, ranks, groups, and runs whose ranks are damaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.reports.board import Measured
from kdbench.statistics.analysis import UNTESTED, Analysis, analyse
from kdbench.statistics.units import units_of
from kdbench.tasks.retrieval.ranks import Ranks
from tests.support.rankings import row

UNITS = units_of({"images": 40, "captions": 80})


def found(*rows: list[Measured]) -> Analysis:
    return analyse(rows, UNITS)


def broken() -> Ranks:
    raise RecordError("cut short")


def test_best_first_with_ranks_groups_and_bold() -> None:
    analysis = found(row("bad", 4.0, draw=3), row("good", 1.0, draw=1), row("twin", 1.0, draw=2))
    assert analysis.standings[2].place == 0
    assert [(s.first, s.last, s.group, s.bold) for s in analysis.standings] == [
        (1, 2, 1, True),
        (1, 2, 1, True),
        (3, 3, 2, False),
    ]
    assert analysis.better.tolist() == [[False, False, True], [False, False, True], [False, False, False]]
    assert analysis.refused == []


def test_means_are_the_records() -> None:
    good = row("good", 2.0)
    (standing,) = found(good).standings
    assert standing.run_ids == tuple(one.record.run_id for one in good)
    for metric in good[0].record.metrics:
        scale = 100 if "recall@" in metric else 1
        expected = scale * np.mean([one.record.metrics[metric] for one in good])
        assert standing.values[metric].mean == pytest.approx(expected)
        assert standing.values[metric].low < expected < standing.values[metric].high


def test_identical_rows_tie() -> None:
    analysis = found(row("a", draw=1), row("b", draw=1), row("far", 0.0, draw=2))
    assert [standing.group for standing in analysis.standings] == [1, 2, 2]
    assert analysis.corrected[1, 2] == 1


def test_rows_without_a_common_seed_tie_and_this_is_said() -> None:
    analysis = found(row("a", 0.0, seeds=[0, 1]), row("b", 5.0, seeds=[2, 3]))
    assert [standing.group for standing in analysis.standings] == [1, 1]
    assert UNTESTED in analysis.notes
    assert np.isnan(analysis.corrected[0, 1])


def test_the_better_is_told_on_shared_seeds() -> None:
    """A row far ahead on seeds that the other lacks, and far behind on those that both have, is not the better one."""
    ahead = [*row("a", -2.0, seeds=[0, 1, 2, 3, 4]), *row("a", 4.5, seeds=[5, 6, 7])]
    other = row("b", 1.5, seeds=[5, 6, 7])
    analysis = found(ahead, other)
    assert [standing.place for standing in analysis.standings] == [0, 1]
    assert analysis.corrected[0, 1] < 0.05
    assert analysis.better.tolist() == [[False, False], [True, False]]


def test_runs_with_damaged_ranks_are_left_out_and_told() -> None:
    runs = row("a")
    runs[1] = replace(runs[1], ranks=broken)
    analysis = found(runs, [replace(row("b", seeds=[0])[0], ranks=broken)])
    assert analysis.refused == [
        f"{runs[1].record.label}: left out: cut short",
        "toy · a+b · b · seed 0: left out: cut short",
    ]
    (standing,) = analysis.standings
    assert standing.run_ids == (runs[0].record.run_id, runs[2].record.run_id)


def test_runs_that_are_wrong_only_together_are_told() -> None:
    with pytest.raises(RecordError, match="two records of one seed"):
        found([*row("a"), *row("a", seeds=[0])])


def test_none_left() -> None:
    analysis = found([replace(row("b", seeds=[0])[0], ranks=broken)])
    assert (analysis.standings, analysis.better.shape) == ([], (0, 0))
