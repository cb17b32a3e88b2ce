"""The chance that a race's remaining seeds decide a pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from kdbench.statistics.crossed import MeanSquares
from kdbench.statistics.futility import chance_of_decision

UNITS, MARGIN, LEVEL = 100, 3.0, 0.01


def squares(mean: float, seeds: int, by_seed: float, by_unit: float) -> MeanSquares:
    """Of a pair whose mean has a variance of `by_seed` from seeds and of `by_unit` from units."""
    size = seeds * UNITS
    return MeanSquares(seeds, UNITS, np.array([mean]), np.array([by_seed * size]), np.array([by_unit * size]), np.zeros(1))


def chance(mean: float, seeds: int, last: int, by_seed: float, by_unit: float) -> float:
    found = squares(mean, seeds, by_seed, by_unit)
    return float(chance_of_decision(found, found.seed, MARGIN, last, LEVEL)[0])


@pytest.mark.parametrize("mean", [0.0, 2.0, -7.0, 9.0, 15.0])
@pytest.mark.parametrize(("by_seed", "by_unit"), [(4.0, 0.0), (4.0, 1.0), (9.0, 4.0), (0.5, 0.1)])
@pytest.mark.parametrize(("seeds", "last"), [(3, 24), (10, 12)])
def test_it_is_the_share_of_futures_that_decide(mean: float, by_seed: float, by_unit: float, seeds: int, last: int) -> None:
    """The oracle draws a true difference from what the seeds so far leave possible, and the means of the seeds to come."""
    rng, draws, of_a_seed = np.random.default_rng(1), 200_000, by_seed * seeds
    truths = mean + rng.normal(0, np.sqrt(by_seed), draws)
    coming = truths + rng.normal(0, np.sqrt(of_a_seed / (last - seeds)), draws)
    final = (mean * seeds + coming * (last - seeds)) / last
    error = np.sqrt(of_a_seed / last + by_unit)
    different = np.abs(final) / error > norm.isf(LEVEL / 2)
    equivalent = (MARGIN - np.abs(final)) / error > norm.isf(LEVEL)
    assert chance(mean, seeds, last, by_seed, by_unit) == pytest.approx(max(different.mean(), equivalent.mean()), abs=0.005)


@given(st.floats(0, 30), st.integers(1, 20), st.integers(1, 20), st.floats(0, 20), st.floats(0, 20))
def test_it_is_a_probability_whichever_row_comes_first(
    mean: float, seeds: int, more: int, by_seed: float, by_unit: float
) -> None:
    found = chance(mean, seeds, seeds + more, by_seed, by_unit)
    assert 0 <= found <= 1
    assert chance(-mean, seeds, seeds + more, by_seed, by_unit) == pytest.approx(found)


def test_at_the_last_seed_all_is_known() -> None:
    assert chance(30.0, 12, 12, 1.0, 1.0) == 1
    assert chance(6.0, 12, 12, 4.0, 4.0) == 0


def test_units_that_leave_too_much_open_are_no_help_of_seeds() -> None:
    assert chance(8.0, 3, 24, 4.0, 25.0) < 0.01
    assert chance(8.0, 3, 24, 4.0, 0.5) > 0.9


def test_a_pooled_mean_square_stands_in_for_the_pairs_own() -> None:
    found = squares(6.0, 3, 0.01, 1.0)
    sure, unsure = (chance_of_decision(found, scale * found.seed, MARGIN, 24, LEVEL)[0] for scale in (1, 1000))
    assert sure == pytest.approx(1.0)
    assert unsure < sure
