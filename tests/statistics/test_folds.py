"""Mean squares of tables in folds: against slow sums, their invariances, and what they are where folds say nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from kdbench.statistics.crossed import half_width, p_values
from kdbench.statistics.folds import (
    ONE_SEED,
    estimate_in_folds,
    excess,
    fold_parts,
    fold_squares,
    fold_squares_of,
    median_of_chi_square,
    weight_of,
)

sizes = st.lists(st.integers(2, 9), min_size=3, max_size=6).map(tuple)
seeds = st.integers(1, 4)


def table(count: int, of: tuple[int, ...], draw: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(draw)
    return rng.normal(size=(count, sum(of))) + np.repeat(rng.normal(size=len(of)), of) + 3


@given(seeds, sizes, st.integers(0, 99))
def test_against_slow_sums(count: int, of: tuple[int, ...], draw: int) -> None:
    x = table(count, of, draw)
    units = [sum(x[s, u] for s in range(count)) / count for u in range(sum(of))]
    mean, start, between, within = sum(units) / len(units), 0, 0.0, 0.0
    for size in of:
        part = units[start : start + size]
        fold = sum(part) / size
        between += size * (fold - mean) ** 2
        within += sum((value - fold) ** 2 for value in part)
        start += size
    found = fold_squares(x, of)
    unit = count * within / (len(units) - len(of))
    assert (found.seeds, found.units, found.sizes) == (count, len(units), of)
    assert found.mean == pytest.approx(mean)
    assert found.between == pytest.approx(count * between / (len(of) - 1))
    assert found.unit == pytest.approx(unit)
    squared = sum(size**2 for size in of)
    weight = squared * (len(of) - 1) / (sum(of) ** 2 - squared)
    median = stats.chi2.median(len(of) - 1) / (len(of) - 1)
    assert found.seed == pytest.approx(weight * max(found.between / median - unit, 0))
    assert (found.seed_df, found.unit_df) == (len(of) - 1, len(units) - len(of))


@given(seeds, sizes, st.integers(0, 99))
def test_many_tables_at_a_time_and_differences_of_parts(count: int, of: tuple[int, ...], draw: int) -> None:
    one, other = table(count, of, draw), table(count, of, draw + 100)
    both = fold_squares(np.array([one, other]), of)
    for place, x in enumerate((one, other)):
        single = fold_squares(x, of)
        for name in ("mean", "seed", "unit", "between"):
            assert getattr(both, name)[place] == pytest.approx(getattr(single, name))
    apart = [a - b for a, b in zip(fold_parts(one, of), fold_parts(other, of), strict=True)]
    expected = fold_parts(one - other, of)
    for found, part in zip(apart, expected, strict=True):
        np.testing.assert_allclose(found, part, atol=1e-12)


@given(sizes, st.integers(0, 99), st.floats(-50, 50))
def test_order_and_level_do_not_matter(of: tuple[int, ...], draw: int, shift: float) -> None:
    x = table(3, of, draw)
    start = [sum(of[:fold]) for fold in range(len(of))]
    order = np.random.default_rng(draw).permutation(len(of))
    moved = np.concatenate([x[:, start[fold] : start[fold] + of[fold]] for fold in order], axis=1)[::-1]
    one, other = estimate_in_folds(x, of), estimate_in_folds(moved + shift, [of[fold] for fold in order])
    assert (other.mean - shift, other.high - other.low) == pytest.approx((one.mean, one.high - one.low), abs=1e-9)


def test_units_alone_give_the_interval_of_units() -> None:
    """Where folds differ by less than their units let expect, they add nothing."""
    x = np.tile([1.0, 2.0, 3.0, 4.0], (2, 5))
    squares = fold_squares(x, (4,) * 5)
    assert (squares.between, squares.seed) == (0, 0)
    half = stats.t.ppf(0.975, 15) * math.sqrt(2 * np.var([1, 2, 3, 4] * 5) * 20 / 15 / 40)
    assert float(half_width(squares)) == pytest.approx(half)


def test_folds_alone_give_the_interval_of_folds() -> None:
    """Where units of a fold do not differ, five folds are five numbers; the median widens their t a little."""
    x = np.repeat([[1.0, 2.0, 4.0, 8.0, 9.0]], 30, axis=1)
    found = estimate_in_folds(x, (30,) * 5)
    values = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
    half = stats.t.ppf(0.975, 4) * values.std(ddof=1) / math.sqrt(5) / math.sqrt(median_of_chi_square(4))
    assert found.mean - found.low == pytest.approx(half)
    assert found.note == ONE_SEED
    assert estimate_in_folds(x, (30,) * 5, trained=False).note == ""
    assert estimate_in_folds(np.repeat(x, 2, axis=0), (30,) * 5).note == ""


@given(seeds, sizes, st.integers(0, 50))
def test_the_p_value_is_that_of_the_interval(count: int, of: tuple[int, ...], draw: int) -> None:
    x = table(count, of, draw) - 2.5
    found = estimate_in_folds(x, of)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    squares = fold_squares(x, of)
    assert found.p == pytest.approx(float(p_values(squares, squares.seed, squares.seed_df)))


def test_medians_and_weights() -> None:
    for df in (2, 4, 9, 33.3):
        assert median_of_chi_square(df) == pytest.approx(stats.chi2.median(df) / df)
    assert weight_of((7, 7, 7)) == pytest.approx(1)
    assert weight_of((1, 1, 98)) > 1
    assert float(excess(1.0, 5.0, (7, 7, 7), 2)) == 0


def test_equal_means_are_certain_and_too_few_units_an_error() -> None:
    assert estimate_in_folds(np.full((1, 9), 2.0), (3, 3, 3)).p < 1e-20
    for of in ((1, 1, 1), (9,)):
        with pytest.raises(ValueError, match="have no spread; expected 2 folds or more, of 2 units or more"):
            fold_squares(np.ones((2, sum(of))), of)
    with pytest.raises(ValueError, match="3 units in 3 folds"):
        fold_squares_of(1, (1, 1, 1), 0.0, 1.0, 1.0)


@pytest.mark.parametrize("folds", [3, 4, 5, 8, 10])
def test_intervals_cover_whatever_folds_add(folds: int) -> None:
    """Of normal tables with many units, the coverage by quadrature over the distribution of the mean square between folds.

    `added` is what folds and runs add to the variance of the mean, over what units make of it. It does not depend on seeds.
    """
    df, of = folds - 1, (10**6,) * folds
    chi_square = stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, df) / df
    for added in (0, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 30, 100):
        between, seen = (1 + added) * chi_square, np.ones(4000)
        zero = np.zeros(4000)
        squares = fold_squares_of(1, of, zero, between * df, seen * (sum(of) - folds))
        half = half_width(squares) * math.sqrt(sum(of))
        covered = float((2 * stats.norm.cdf(half / math.sqrt(1 + added)) - 1).mean())
        assert 0.93 <= covered <= 0.975, (folds, added)
