"""Intervals with more seeds, from the variances found."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from kdbench.statistics.cells import Scores
from kdbench.statistics.pair_tests import Pairs, difference
from kdbench.statistics.projection import Projection
from tests.statistics.test_looks import rows

SIZES = (40, 41, 40)


def in_folds(truths: list[float], seeds: int, run: float, fold: float = 0.0, draw: int = 0) -> list[Scores]:
    """Rows whose runs vary by `run` and whose folds by `fold`, beside units that are hard for all and a residual of one."""
    rng = np.random.default_rng(draw)
    units, of_fold = sum(SIZES), np.repeat(range(len(SIZES)), SIZES)
    hard = rng.normal(size=units)
    found = []
    for truth in truths:
        of_run = rng.normal(0, run, (seeds, 3)) + rng.normal(0, fold, 3)
        values = truth + of_run[:, of_fold] + hard + rng.normal(size=(seeds, units))
        found.append(Scores(tuple(range(seeds)), values, folds=SIZES))
    return found


@pytest.mark.parametrize(
    "several", [rows([1.0, 0.5, 0.0], 4), in_folds([1.0, 0.5, 0.2, 0.0], 3, 0.5, 0.3)], ids=["split", "folds"]
)
def test_with_no_more_seeds_an_interval_at_the_level_of_the_test_just_reaches_zero(several: list[Scores]) -> None:
    """So that what is said of more seeds is said of the table's own tests."""
    betweens = [difference(*pair) for pair in combinations(several, 2)]
    projected = Projection(betweens, several)
    for place, p in enumerate(Pairs(several).p()):
        assert projected.half_widths(0, float(p))[place] == pytest.approx(abs(projected.means[place]), rel=1e-4)


@pytest.mark.parametrize("fold", [0.0, 1.0])
def test_runs_average_out_and_folds_stay(fold: float) -> None:
    several = in_folds([0.0] * 24, 6, 1.0, fold)
    projected = Projection([difference(several[0], other) for other in several[1:]], several)
    now, later, never = (float(np.median(projected.half_widths(more, 0.05))) for more in (0, 18, 10**6))
    assert never < later < now
    assert later > 0.7 * now if fold else later < 0.7 * now
    assert never > 0.5 * now if fold else never < 0.4 * now


@pytest.mark.parametrize(
    "several", [rows([1.0, 0.0, 0.0], 3, units=60), in_folds([1.0, 0.0, 0.0], 3, 1.0)], ids=["split", "folds"]
)
def test_more_seeds_never_widen_an_interval(several: list[Scores]) -> None:
    projected = Projection([difference(several[0], other) for other in several[1:]], several)
    widths = [projected.half_widths(more, 0.01) for more in (0, 1, 2, 5, 50, 500)]
    assert all((after <= before).all() for before, after in pairwise(widths))


def test_rows_with_unequal_seeds() -> None:
    """A pair counts the seeds that it shares, the pool those that all rows share."""
    several = rows([1.0, 0.5, 0.0], 6)
    short = Scores(several[2].seeds[:2], several[2].values[:2])
    projected = Projection([difference(several[0], other) for other in (several[1], short)], [*several[:2], short])
    assert projected.seeds.tolist() == [6, 2]
    assert np.isfinite(projected.half_widths(3, 0.05)).all()
