"""What looks spend, and at which p-values they claim."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtr
from scipy.stats import multivariate_normal, norm

from kdbench.statistics.spending import shares, spending

SEEDS = st.lists(st.integers(2, 60), min_size=1, max_size=6, unique=True).map(sorted).map(tuple)
LEVELS = st.floats(1e-6, 0.2)
DEFAULT = (3, 5, 7, 10, 16, 24)


@given(SEEDS)
def test_all_of_the_level_and_no_more(seeds: tuple[int, ...]) -> None:
    found = shares(seeds)
    assert len(found) == len(seeds)
    assert min(found) > 0
    assert abs(sum(found) - 1) < 1e-12


def test_the_power_family_by_hand() -> None:
    np.testing.assert_allclose(shares([5, 10]), [1 / 4, 3 / 4])


@given(SEEDS)
def test_late_seeds_may_spend_more_than_early_ones(seeds: tuple[int, ...]) -> None:
    before = [0, *seeds]
    rates = [share / (after - start) for start, after, share in zip(before, seeds, shares(seeds), strict=False)]
    assert all(earlier < later for earlier, later in pairwise(rates))


@given(SEEDS, LEVELS)
@settings(max_examples=30, deadline=None)
def test_a_look_claims_at_what_it_spends_or_more_and_at_less_than_all(seeds: tuple[int, ...], level: float) -> None:
    made = spending(seeds)
    bounds = np.array([made.bound(look, level) for look in range(len(seeds))])
    assert bounds[0] == pytest.approx(level * made.shares[0], rel=1e-9)
    assert (bounds >= level * made.shares * (1 - 1e-4)).all()
    assert (bounds <= level * np.cumsum(made.shares) * (1 + 1e-4)).all()
    for look, bound in enumerate(bounds):  # there and back
        assert made.overall(look, np.array([bound])) == pytest.approx([level], rel=1e-3)


@pytest.mark.parametrize("level", [0.05, 0.05 / 15])
def test_no_difference_is_claimed_at_any_look_with_the_level_s_probability(level: float) -> None:
    """Of a normal distribution in as many dimensions as there are looks, integrated by somebody else's code."""
    seeds = (3, 7, 12)
    made = spending(seeds)
    edges = norm.isf(np.array([made.bound(look, level) for look in range(3)]) / 2)
    times = np.array(seeds) - 1.0
    together = np.minimum.outer(times, times) / np.maximum.outer(times, times)
    inside = multivariate_normal(cov=together, abseps=1e-9, maxpts=10**6).cdf(edges, lower_limit=-edges)
    assert 1 - inside == pytest.approx(level, rel=2e-3)


@pytest.mark.parametrize("level", [0.05, 0.05 / 15])
@pytest.mark.parametrize("seeds", [DEFAULT, (3, 5, 8, 12), (2, 3, 4, 5), tuple(range(3, 25))])
def test_t_tests_of_a_pair_s_own_seeds_keep_the_level(seeds: tuple[int, ...], level: float) -> None:
    """200,000 races of two rows whose test units vary not at all; within three standard errors."""
    made, counts, rng = spending(seeds), np.array(seeds), np.random.default_rng(1)
    bounds = np.array([made.bound(look, level) for look in range(len(seeds))])
    races, claimed = 20_000, 0
    for _ in range(10):
        found = rng.normal(size=(races, seeds[-1]))
        sums, squares = (np.cumsum(found**power, axis=1)[:, counts - 1] for power in (1, 2))
        variance = (squares - sums**2 / counts) / (counts - 1)
        p = 2 * stdtr(counts - 1, -np.abs(sums) / np.sqrt(counts * variance))
        claimed += int((p < bounds).any(axis=1).sum())
    most = level + 3 * np.sqrt(level / (10 * races))
    assert 0.75 * level < claimed / (10 * races) < most


def test_one_look_has_the_whole_level() -> None:
    p = np.array([1e-30, 1e-12, 1e-3, 0.05, 0.7, 1.0])
    np.testing.assert_allclose(spending((9,)).overall(0, p), p, rtol=1e-12)
    assert spending((9,)).bound(0, 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("look", range(6))
def test_overall_rates_rise_with_p_values_and_are_probabilities(look: int) -> None:
    p = np.concatenate([[0.0], np.geomspace(1e-15, 1, 500), [np.nan]])
    found = spending(DEFAULT).overall(look, p)
    assert np.isnan(found[-1])
    assert found[0] == 0
    assert (np.diff(found[:-1]) >= 0).all()
    assert found[-2] == 1


def test_more_looks_than_any_race_has_seeds_between() -> None:
    """Looks after each of many seeds: the integral has nodes enough."""
    many = spending(tuple(range(1, 26)))
    few = spending((24, 25))
    assert many.bound(-1, 0.05) > many.shares[-1] * 0.05
    assert many.bound(-1, 0.05) < few.bound(-1, 0.05)
