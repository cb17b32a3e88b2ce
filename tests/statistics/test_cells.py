"""Runs of a cell to contributions of its metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdbench.errors import KdbenchError, RecordError
from kdbench.reports import build
from kdbench.statistics.cells import cell_of, check_run, complete
from kdbench.statistics.crossed import estimate, mean_squares
from kdbench.statistics.folds import fold_squares
from kdbench.statistics.splits import ByFold, split_of
from tests.support.folded import CONCEPTS, FOLDS, fold_row, fold_units
from tests.support.rankings import HEADLINE, SIZES, broken, row, run, units_of
from tests.support.toys import plugged


def test_runs_of_two_rows_a_seed_twice_and_another_split_are_refused() -> None:
    with pytest.raises(RecordError, match="are of several cells"):
        cell_of([*row("equal"), *row("fixed", seeds=[3])], SIZES)
    with pytest.raises(RecordError, match="two records of one seed"):
        cell_of([*row("equal"), *row("equal", seeds=[2])], SIZES)
    with pytest.raises(RecordError, match=r"text ranks: found 2, expected 40, .*another test split"):
        cell_of([run("equal", 0, np.ones(2), np.ones(4))], SIZES)
    with pytest.raises(RecordError, match=r"image ranks: found 4, expected 80, .*another test split"):
        cell_of([run("equal", 0, np.ones(40), np.ones(4))], SIZES)


def test_units_that_do_not_fit_are_refused() -> None:
    with pytest.raises(KdbenchError, match="units of 40 images and 79 captions given"):
        cell_of(row("equal"), SIZES, units_of(np.arange(40), np.arange(79)))


def test_arrays_of_other_sizes_are_refused_whatever_the_task_finds() -> None:
    runs = row("equal")
    longer = {name: np.concatenate([values, values]) for name, values in runs[0].arrays().items()}
    task = type("Lenient", (type(runs[0].task),), {"problems": lambda *_: iter(())})()
    odd = [replace(one, task=task, arrays=lambda: longer) if one is runs[1] else replace(one, task=task) for one in runs]
    with pytest.raises(RecordError, match="its seeds stored arrays of different sizes"):
        cell_of(odd, SIZES)


def test_a_single_unit_is_refused_and_ends_no_leaderboard() -> None:
    """One unit has no spread; the other tables of a folder are shown, and a note says what is left out."""
    one = [run("equal", seed, [1], [1, 1]) for seed in (0, 1)]
    with pytest.raises(RecordError, match="found a single test unit, expected at least 2: one has no spread, so no interval"):
        cell_of(one, {"images": 1, "captions": 2, "concepts": 1})
    board = build([*one, *row("ammkd", spec={"dataset": plugged("beads", "rings")}, dataset_digest="f" * 64)])
    assert [table.dataset for table in board.tables] == ["rings"]
    assert sum("left out: toy · a+b · equal: found a single test unit" in note for note in board.notes) == 2


def test_seeds_are_ordered_and_named() -> None:
    cell = cell_of(row("equal")[::-1], SIZES)
    assert (cell.seeds, cell.label, cell.trained) == ((0, 1, 2), "toy · a+b · equal", True)
    np.testing.assert_array_equal(cell.arrays["text"], [one.arrays()["text"] for one in row("equal")])


def test_contributions_average_to_each_seeds_metric() -> None:
    runs = row("equal")
    cell = cell_of(runs, SIZES)
    for metric in runs[0].task.metrics:
        expected = [metric.scale * one.record.metrics[metric.name] for one in runs]
        assert cell.scores(metric.name).values.mean(axis=1) == pytest.approx(expected)
    assert cell.scores(HEADLINE).values.shape == (3, 40)
    assert "Karpathy" in cell.contributions.note
    assert cell_of(runs, SIZES, units_of(np.arange(40), np.arange(80) // 2)).contributions.note == ""


def test_folds_are_side_by_side_and_their_mean_is_over_units() -> None:
    runs = fold_row("equal")
    cell = cell_of(runs[::-1], *split_of(runs, fold_units()))
    assert (cell.seeds, cell.folds, cell.queries["image"]) == ((0, 1), CONCEPTS, tuple(2 * count for count in CONCEPTS))
    values = cell.contributions.values[HEADLINE]
    assert values.shape == (2, sum(CONCEPTS))
    for seed in (0, 1):
        metrics = [one.record.metrics[HEADLINE] for one in runs if one.seed == seed]
        assert values[seed].mean() == pytest.approx(np.average(metrics, weights=CONCEPTS))
    start = 0
    for index, count in enumerate(CONCEPTS):
        part = [one for one in runs if one.fold == index]
        alone = part[0].task.contributions(
            {name: np.array([one.arrays()[name] for one in part]) for name in ("text", "image")},
            part[0].record.sizes,
            fold_units()[part[0].record.split_digest],
        )
        np.testing.assert_allclose(values[:, start : start + count], alone.values[HEADLINE])
        start += count
    places = [cell.place("image", position) for position in (0, 27, 28, 28 + 31, 28 + 32)]
    assert places == [(0, 0), (0, 27), (1, 0), (1, 31), (2, 0)]
    assert cell.scores(HEADLINE).folds == CONCEPTS
    assert cell.scores(HEADLINE).first(1).folds == CONCEPTS


def test_a_seed_needs_all_its_folds() -> None:
    runs = fold_row("equal")
    assert complete(runs) == runs
    assert complete(runs[:-1]) == runs[:FOLDS]
    assert complete(runs[:1]) == complete([]) == []
    with pytest.raises(RecordError, match=r"fold 1/3, .*; expected all folds of each seed"):
        cell_of(runs[:-1], *split_of(runs, {}))
    with pytest.raises(RecordError, match="two records of one seed"):
        cell_of([*runs, runs[0]], *split_of(runs, {}))


def test_a_run_of_a_fold_is_checked_by_that_fold() -> None:
    runs = fold_row("equal")
    sizes, units = split_of(runs, fold_units())
    for one in runs:
        check_run(one, sizes, units)
    with pytest.raises(RecordError, match="cut short"):
        check_run(broken(runs[1]), sizes, units)
    with pytest.raises(RecordError, match="another test split"):
        check_run(runs[1], ByFold({1: runs[0].record.sizes}))


def test_rows_without_folds_have_the_squares_and_estimates_they_had() -> None:
    scores = cell_of(row("equal"), SIZES).scores(HEADLINE)
    assert scores.squares == mean_squares(scores.values)
    assert scores.estimate == estimate(scores.values)
    untrained = replace(scores, seeds=(0,), values=scores.values[:1], trained=False)
    assert untrained.estimate.note == ""
    folded = replace(scores, folds=(10, 20, 10))
    assert folded.squares == fold_squares(scores.values, (10, 20, 10))
    assert folded.estimate.p != scores.estimate.p
