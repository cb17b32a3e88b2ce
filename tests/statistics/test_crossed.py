"""The two-way analysis of seeds and units, against plain loops, SciPy and the bootstrap."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from kdbench.statistics.bootstrap import bootstrap_interval, bootstrap_means
from kdbench.statistics.crossed import (
    ONE_SEED,
    MeanSquares,
    estimate,
    half_width,
    lone_half_width,
    mean_squares,
    p_values,
)

Floats = NDArray[np.float64]


def table(seeds: int, units: int, draw: int = 0, shift: float = 1.0) -> Floats:
    rng = np.random.default_rng(draw)
    noise = rng.normal(size=(seeds, units))
    return np.asarray(shift + 0.3 * rng.normal(size=(seeds, 1)) + rng.normal(size=units) + noise)


@pytest.mark.parametrize(("seeds", "units"), [(2, 2), (3, 20), (5, 7)])
def test_mean_squares_against_loops(seeds: int, units: int) -> None:
    x = table(seeds, units)
    grand = sum(x[s, u] for s, u in product(range(seeds), range(units))) / (seeds * units)
    by_seed = [sum(x[s, u] for u in range(units)) / units for s in range(seeds)]
    by_unit = [sum(x[s, u] for s in range(seeds)) / seeds for u in range(units)]
    seed = units * sum((value - grand) ** 2 for value in by_seed) / (seeds - 1)
    unit = seeds * sum((value - grand) ** 2 for value in by_unit) / (units - 1)
    rest = [(x[s, u] - by_seed[s] - by_unit[u] + grand) ** 2 for s, u in product(range(seeds), range(units))]
    found = mean_squares(x)
    expected = (grand, seed, unit, sum(rest) / (seeds - 1) / (units - 1))
    assert (found.mean, found.seed, found.unit, found.residual) == pytest.approx(expected)


def test_by_hand() -> None:
    """[[1, 3], [2, 8]]: mean 3.5; MS_seed 9, MS_unit 16, MS_residual 4; the variance of the mean is (9 + 16 − 4) / 4."""
    x = np.array([[1.0, 3.0], [2.0, 8.0]])
    squares = mean_squares(x)
    assert (squares.mean, squares.seed, squares.unit, squares.residual) == pytest.approx((3.5, 9.0, 16.0, 4.0))
    found = estimate(x)
    assert found.se == pytest.approx(math.sqrt(21 / 4))
    assert found.high - found.mean == pytest.approx(12.7062047 * math.sqrt(21 / 4))  # both parts have one degree of freedom
    assert found.p == pytest.approx(2 * stats.t.sf(3.5 / found.se, 1))


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_source_of_chance_is_students_t(seeds: int) -> None:
    """One seed, or seeds that all say the same: the t test over units. Units that all say the same: that over seeds."""
    values = table(1, 30, shift=0.4)[0]
    expected = stats.ttest_1samp(values, 0.0)
    low, high = expected.confidence_interval()
    found = estimate(np.tile(values, (seeds, 1)))
    assert (found.p, found.low, found.high) == pytest.approx((expected.pvalue, low, high))
    assert found.note == (ONE_SEED if seeds == 1 else "")
    expected = stats.ttest_1samp(values[:4], 0.0)
    found = estimate(np.tile(values[:4, None], (1, 50)))
    assert found.p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("seeds", "units"), [(1, 30), (3, 30), (5, 200)])
def test_a_mean_that_stands_alone(seeds: int, units: int) -> None:
    """By the plain formula; where units, or seeds, are all the chance there is, it is Student's t of them."""
    x = table(seeds, units)
    squares = mean_squares(x)
    excess = max(float(squares.unit - squares.residual), 0)
    seed = float(squares.seed)
    df = (seed + excess) ** 2 / (seed**2 / max(seeds - 1, 1) + float(squares.unit) ** 2 / (units - 1))
    expected = stats.t.isf(0.025, df) * math.sqrt((seed + excess) / x.size)
    assert float(lone_half_width(squares)) == pytest.approx(expected)
    same = np.tile(x[0], (seeds, 1))
    low, high = stats.ttest_1samp(x[0], 0.0).confidence_interval()
    assert float(lone_half_width(mean_squares(same))) == pytest.approx((high - low) / 2)
    assert float(lone_half_width(mean_squares(np.full((seeds, units), 2.0)))) == pytest.approx(0, abs=1e-12)
    if seeds > 1:
        low, high = stats.ttest_1samp(x.mean(axis=1), 0.0).confidence_interval()
        tall = np.tile(x.mean(axis=1)[:, None], (1, 50))
        assert float(lone_half_width(mean_squares(tall))) == pytest.approx((high - low) / 2)


@given(st.integers(2, 5), st.integers(2, 12), st.integers(0, 10**6))
def test_no_sum_has_fewer_degrees_of_freedom_than_its_parts(seeds: int, units: int, draw: int) -> None:
    """Where seeds explain next to nothing, the difference of mean squares has had 0.01 of them, and the interval 140 digits."""
    x = np.random.default_rng(draw).normal(size=(seeds, units))
    squares = mean_squares(x)
    deviation = math.sqrt((float(squares.seed) + max(float(squares.unit - squares.residual), 0)) / x.size)
    assert float(lone_half_width(squares)) <= stats.t.isf(0.025, min(seeds, units) - 1) * deviation * (1 + 1e-9)


@pytest.mark.parametrize(
    "x",
    [
        [[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]],
        [[0.0, 1.0, 2.0, 1.0], [2.0, 1.0, 0.0, 1.0]],
        [[0.1, 0.2, 0.6, 0.7], [0.7, 0.6, 0.2, 0.1]],  # whose means differ by rounding
    ],
)
def test_seeds_of_equal_means_do_not_make_a_mean_certain(x: list[list[float]]) -> None:
    """Two seeds that differ in units and agree on average: the mean is as uncertain as that of independent entries."""
    squares, found = mean_squares(np.array(x)), estimate(np.array(x))
    assert (squares.seed, squares.unit) == pytest.approx((0, 0))
    assert found.se == pytest.approx(math.sqrt(squares.residual / 8))
    assert found.high - found.mean == pytest.approx(stats.t.isf(0.025, 3) * found.se)
    assert float(lone_half_width(squares)) == pytest.approx(stats.t.isf(0.025, 3) * found.se)
    assert found.p == pytest.approx(2 * stats.t.sf(found.mean / found.se, 3), rel=1e-3)


def test_what_is_not_trained_is_not_said_to_lack_seeds() -> None:
    assert estimate(table(1, 10), trained=False).note == ""


def test_a_single_unit_has_no_spread() -> None:
    with pytest.raises(ValueError, match="1 units"):
        mean_squares(np.ones((3, 1)))


@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 10**6))
def test_antisymmetric_and_blind_to_order(seeds: int, units: int, draw: int) -> None:
    x, rng = table(seeds, units, draw), np.random.default_rng(draw)
    found, opposite = estimate(x), estimate(-x)
    assert (opposite.low, opposite.high, opposite.p) == pytest.approx((-found.high, -found.low, found.p))
    shuffled = estimate(x[rng.permutation(seeds)][:, rng.permutation(units)])
    assert (shuffled.low, shuffled.high, shuffled.p) == pytest.approx((found.low, found.high, found.p), rel=1e-6, abs=1e-9)


@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 10**6), st.floats(-3, 3))
def test_the_interval_holds_0_exactly_where_p_is_at_least_5_percent(seeds: int, units: int, draw: int, shift: float) -> None:
    found = estimate(table(seeds, units, draw, shift))
    assert (found.low <= 0 <= found.high) == (found.p >= 0.05)


def test_no_difference_has_p_1_and_a_constant_one_none_to_speak_of() -> None:
    nothing = estimate(np.zeros((3, 5)))
    assert (nothing.mean, nothing.low, nothing.high, nothing.p) == (0, 0, 0, 1)
    assert estimate(np.full((3, 5), 2.0)).p < 1e-20


def test_p_values_of_many_are_those_of_each() -> None:
    tables = np.array([table(3, 20, draw) for draw in range(6)])
    squares = mean_squares(tables)
    together, halves = p_values(squares, squares.seed, 2), half_width(squares)
    each = [estimate(x) for x in tables]
    assert together.tolist() == pytest.approx([one.p for one in each])
    assert squares.mean.tolist() == pytest.approx([one.mean for one in each])
    assert halves.tolist() == pytest.approx([(one.high - one.low) / 2 for one in each])


@given(st.floats(-29, -1e-3), st.sampled_from([1.0, 2.0, 7.5, 400.0]), st.floats(0, 1))
def test_a_p_value_is_where_the_interval_reaches_0(log_p: float, seed_df: float, share: float) -> None:
    """The other way round: a mean that lies exactly as far out as a level's interval reaches has that level."""
    tail = np.exp(log_p) / 2
    quantiles = stats.t.isf(tail, seed_df), stats.t.isf(tail, 99)
    mean = (share * quantiles[0] + (1 - share) * quantiles[1]) / math.sqrt(300)
    found = p_values(MeanSquares(3, 100, mean, share, 1 - share, 0.0), share, seed_df)
    assert np.log(float(found)) == pytest.approx(log_p, abs=1e-6)


def test_one_seed_agrees_with_scipys_bootstrap() -> None:
    x = table(1, 300)
    expected = stats.bootstrap((x[0],), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(0))
    low, high = expected.confidence_interval
    found = estimate(x)
    ours = bootstrap_interval(x, 20000, np.random.default_rng(1))
    width = high - low
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * width)
    assert ours == pytest.approx((low, high), abs=0.03 * width)


@pytest.mark.parametrize(("seeds", "units"), [(1, 40), (3, 40), (6, 200)])
def test_the_bootstrap_has_the_variance_that_the_mean_squares_foretell(seeds: int, units: int) -> None:
    x, draws = table(seeds, units), 40000
    squares = mean_squares(x)
    parts = (seeds - 1) * squares.seed / seeds + (units - 1) * squares.unit / units
    both = (seeds - 1) * (units - 1) * squares.residual / (seeds * units)
    found = bootstrap_means(x, draws, np.random.default_rng(0))
    assert found.mean() == pytest.approx(x.mean(), abs=4 * found.std() / math.sqrt(draws))
    assert found.var() == pytest.approx((parts + both) / (seeds * units), rel=4 * math.sqrt(2 / draws))


def test_the_bootstrap_against_loops() -> None:
    x = table(3, 5)
    rng = np.random.default_rng(4)
    found = np.sort(bootstrap_means(x, 4000, np.random.default_rng(3)))
    slow = np.sort([x[np.ix_(rng.integers(0, 3, 3), rng.integers(0, 5, 5))].mean() for _ in range(4000)])
    assert stats.ks_2samp(found, slow).pvalue > 0.01


def test_many_seeds_and_units_give_the_bootstraps_interval() -> None:
    """Where the bootstrap is right, the analysis agrees: there, seeds are as good as a normal distribution."""
    rng = np.random.default_rng(5)
    x = 1 + rng.normal(size=(150, 1)) + 2 * rng.normal(size=150) + 0.5 * rng.normal(size=(150, 150))
    low, high = bootstrap_interval(x, 20000, np.random.default_rng(0))
    found = estimate(x)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))
