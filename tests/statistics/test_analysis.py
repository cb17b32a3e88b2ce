"""One family's rows: intervals, ranks, groups, and runs whose arrays are damaged."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.statistics.analysis import UNTESTED, Analysis, analyse
from tests.support.rankings import SIZES, broken, row


def found(*rows: list[Measured]) -> Analysis:
    return analyse(rows, SIZES)


def test_best_first_with_ranks_groups_and_bold() -> None:
    analysis = found(row("bad", 4.0, draw=3), row("good", 1.0, draw=1), row("twin", 1.0, draw=2))
    assert analysis.ranked[2].index == 0
    assert [(s.first, s.last, s.group, s.bold) for s in analysis.ranked] == [
        (1, 2, 1, True),
        (1, 2, 1, True),
        (3, 3, 2, False),
    ]
    assert analysis.better.tolist() == [[False, False, True], [False, False, True], [False, False, False]]
    assert analysis.refused == []


def test_means_are_the_records() -> None:
    good = row("good", 2.0)
    (ranked_row,) = found(good).ranked
    assert ranked_row.run_ids == tuple(one.record.run_id for one in good)
    for metric in good[0].record.metrics:
        scale = good[0].task.metric(metric).scale
        expected = scale * np.mean([one.record.metrics[metric] for one in good])
        assert ranked_row.values[metric].mean == pytest.approx(expected)
        assert ranked_row.values[metric].low < expected < ranked_row.values[metric].high


def test_identical_rows_tie() -> None:
    analysis = found(row("a", draw=1), row("b", draw=1), row("far", 0.0, draw=2))
    assert [ranked_row.group for ranked_row in analysis.ranked] == [1, 2, 2]
    assert analysis.corrected[1, 2] == 1


def test_rows_without_a_common_seed_tie_and_this_is_said() -> None:
    analysis = found(row("a", 0.0, seeds=[0, 1]), row("b", 5.0, seeds=[2, 3]))
    assert [ranked_row.group for ranked_row in analysis.ranked] == [1, 1]
    assert UNTESTED in analysis.notes
    assert np.isnan(analysis.corrected[0, 1])


def test_the_better_is_told_on_shared_seeds() -> None:
    """A row far ahead on seeds that the other lacks, and far behind on those that both have, is not the better one."""
    ahead = [*row("a", -2.0, seeds=[0, 1, 2, 3, 4]), *row("a", 4.5, seeds=[5, 6, 7])]
    other = row("b", 1.5, seeds=[5, 6, 7])
    analysis = found(ahead, other)
    assert [ranked_row.index for ranked_row in analysis.ranked] == [0, 1]
    assert analysis.corrected[0, 1] < 0.05
    assert analysis.better.tolist() == [[False, False], [True, False]]


def test_runs_with_damaged_arrays_are_left_out_and_told() -> None:
    runs = row("a")
    runs[1] = broken(runs[1])
    analysis = found(runs, [broken(row("b", seeds=[0])[0])])
    assert analysis.refused == [
        f"{runs[1].record.label}: left out: cut short",
        "toy · a+b · b · seed 0: left out: cut short",
    ]
    (ranked_row,) = analysis.ranked
    assert ranked_row.run_ids == (runs[0].record.run_id, runs[2].record.run_id)


def test_runs_that_are_wrong_only_together_are_told() -> None:
    with pytest.raises(RecordError, match="two records of one seed"):
        found([*row("a"), *row("a", seeds=[0])])


def test_none_left() -> None:
    analysis = found([broken(row("b", seeds=[0])[0])])
    assert (analysis.ranked, analysis.better.shape) == ([], (0, 0))
