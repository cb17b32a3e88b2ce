"""One family's rows: intervals, ranks, groups, and runs whose arrays are damaged."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.statistics.analysis import UNTESTED, Analysis, analyse
from kdbench.statistics.folds import ONE_SEED
from kdbench.statistics.splits import split_of
from tests.support.folded import CONCEPTS, fold_row, fold_units
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


def folds(*rows: list[Measured]) -> Analysis:
    return analyse(rows, *split_of([run for runs in rows for run in runs], fold_units()))


def test_rows_of_folds_are_ranked_with_intervals_over_all_their_units() -> None:
    good, bad = fold_row("good", 1.0, draw=1), fold_row("bad", 4.0, draw=2)
    analysis = folds(bad, good)
    assert [one.index for one in analysis.ranked] == [1, 0]
    assert (analysis.refused, analysis.better[0, 1]) == ([], True)
    first = analysis.ranked[0]
    assert first.folds == CONCEPTS
    assert first.run_ids == tuple(run.record.run_id for run in good)
    by_seed = [np.average([run.record.metrics["rsum"] for run in good if run.seed == s], weights=CONCEPTS) for s in (0, 1)]
    assert first.values["rsum"].mean == pytest.approx(np.mean(by_seed))
    assert first.values["rsum"].half > 0


def test_runs_wait_for_the_other_folds_of_their_seed() -> None:
    whole, started = fold_row("whole", draw=1), fold_row("started", draw=2)
    analysis = folds(whole[:-1], started[:4])
    assert [len(one.run_ids) for one in analysis.ranked] == [3, 3]
    assert analysis.refused == ["beads: 3 runs wait: a seed counts once all its folds have records"]
    assert ONE_SEED in analysis.notes
    alone = folds(started[:2])
    assert (alone.ranked, alone.refused) == ([], ["beads: 2 runs wait: a seed counts once all its folds have records"])


def test_a_damaged_fold_leaves_out_its_seed() -> None:
    runs = fold_row("equal", seeds=(0, 1, 2))
    analysis = folds([*runs[:4], broken(runs[4]), *runs[5:]])
    (ranked,) = analysis.ranked
    assert ranked.run_ids == tuple(run.record.run_id for run in runs if run.seed != 1)
    assert analysis.refused == [
        f"{runs[4].record.label}: left out: cut short",
        "beads: 2 runs wait: a seed counts once all its folds have records",
    ]


def test_one_seed_of_folds_gives_tests() -> None:
    """Five folds are trained independently: their spread says what training adds."""
    good, bad = fold_row("good", 0.0, seeds=[0], draw=1), fold_row("bad", 4.0, seeds=[0], draw=2)
    analysis = folds(good, bad)
    assert analysis.corrected[0, 1] < 0.05
    assert analysis.notes == [ONE_SEED]
