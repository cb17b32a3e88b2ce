"""Variances of a difference: found again in tables drawn with them, and the power and intervals that they give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.statistics.cells import Scores
from kdbench.statistics.components import Components, FoldComponents, components, components_of
from kdbench.statistics.crossed import half_width, mean_squares

FOLDS = (30, 40, 50, 40, 40)
SHARE = sum((size / 200) ** 2 for size in FOLDS)
TRUE = FoldComponents(seed=4.0, unit=30.0, residual=20.0, fold=2.0, folds=5, share=SHARE)


def tables(count: int, seeds: int, mean: float = 0.0) -> NDArray[np.float64]:
    rng, fold_of = np.random.default_rng(5), np.repeat(np.arange(5), FOLDS)
    moved = rng.normal(0, 2, (count, seeds, 5)) + rng.normal(0, math.sqrt(2), (count, 1, 5))
    units = rng.normal(0, math.sqrt(30), (count, 1, 200)) + rng.normal(0, math.sqrt(20), (count, seeds, 200))
    return mean + moved[:, :, fold_of] + units


def scores(x: NDArray[np.float64]) -> Scores:
    return Scores(tuple(range(len(x))), x, folds=FOLDS)


def test_variances_are_found_again() -> None:
    found = [components_of(scores(x)) for x in tables(600, 3)]
    assert all(isinstance(one, FoldComponents) for one in found)
    kinds = {name: np.mean([one.kinds[name] for one in found]) for name in TRUE.kinds}
    expected = {"runs": 4, "units of the test split": 30, "residual": 20}
    assert {name: kinds[name] for name in expected} == pytest.approx(expected, rel=0.06)
    assert 1.8 < kinds["folds"] < 3.5  # cut off at 0, it is larger than 2 on average


@pytest.mark.parametrize("seeds", [1, 3])
def test_power_is_the_share_of_tables_that_are_told_from_zero(seeds: int) -> None:
    found = np.mean([scores(x).estimate.p < 0.05 for x in tables(1500, seeds, mean=3.0)])
    assert TRUE.power(3.0, seeds, 200) == pytest.approx(found, abs=0.03)


def test_power_grows_with_seeds_and_units_up_to_what_folds_leave() -> None:
    by_seeds = [TRUE.power(2.0, seeds, 200) for seeds in (1, 2, 4, 16, 1000, math.inf)]
    by_units = [TRUE.power(2.0, 3, units) for units in (50, 200, 10**4, 10**7, math.inf)]
    for found in (by_seeds, by_units):
        assert found == sorted(found)
        assert found[-1] < 1
    assert FoldComponents(0, 0, 0, 0, 5, 0.2).power(1, 1, 10) == 1.0
    assert FoldComponents(0, 0, 0, 0, 5, 0.2).half_width(1, 10) == 0.0


def test_half_widths_are_those_of_intervals_with_these_variances() -> None:
    x = tables(1, 3)[0]
    parts, squares = components_of(scores(x)), scores(x).squares
    wide, level = parts.half_width(3, 200), float(half_width(squares))
    assert 0.7 < wide / level < 1.2  # intervals take what folds add at its median
    assert parts.half_width(12, 200) < wide < parts.half_width(3, 200, level=0.01)


def test_tables_without_folds_have_the_components_they_had() -> None:
    x = tables(1, 4)[0]
    assert components_of(Scores((0, 1, 2, 3), x)) == components(mean_squares(x))
    assert type(components_of(Scores((0, 1, 2, 3), x))) is Components


def test_what_is_left_for_one_seed_and_unit_is_in_no_other_variance() -> None:
    """Effects of seeds, units and both at right angles to each other, whose squares are known."""
    rng = np.random.default_rng(2)
    seeds, units, rest = rng.normal(0, 3, 5), rng.normal(0, 5, 12), rng.normal(0, 2, (5, 12))
    rest += rest.mean() - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True)
    found = components_of(Scores(tuple(range(5)), seeds[:, None] + units + rest))
    residual = float(np.square(rest).sum()) / (4 * 11)
    expected = Components(seeds.var(ddof=1) - residual / 12, units.var(ddof=1) - residual / 5, residual)
    assert found.kinds == pytest.approx(expected.kinds)
