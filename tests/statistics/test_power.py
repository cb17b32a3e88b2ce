"""How many seeds, or how large a test split, it takes."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from kdbench.errors import KdbenchError
from kdbench.statistics import power
from kdbench.statistics.components import Components
from kdbench.statistics.crossed import estimate
from tests.support.rankings import row, run, units_of


def test_one_source_of_chance_is_the_t_tests_power() -> None:
    """Simulated: 4 seeds with a standard deviation of 1, a difference of 2; then 60 units and one of 0.4."""
    rng = np.random.default_rng(0)
    found = stats.ttest_1samp(rng.normal(2, 1, (20000, 4)), 0.0, axis=1).pvalue < 0.05
    assert Components(1, 0, 0).power(2, 4, 100) == pytest.approx(found.mean(), abs=0.012)
    found = stats.ttest_1samp(rng.normal(0.4, 1, (20000, 60)), 0.0, axis=1).pvalue < 0.05
    assert Components(0, 1, 0).power(0.4, 100, 60) == pytest.approx(found.mean(), abs=0.012)


def test_both_sources_against_simulated_tests() -> None:
    """Tables drawn and tested as rows are."""
    rng, seeds, units = np.random.default_rng(1), 4, 60
    spread, found = Components(1.0, 4.0, 9.0), []
    for _ in range(4000):
        x = 1.8 + rng.normal(size=(seeds, 1)) + 2 * rng.normal(size=units) + 3 * rng.normal(size=(seeds, units))
        found.append(estimate(x).p < 0.05)
    assert 0.3 < np.mean(found) < 0.8
    assert spread.power(1.8, seeds, units) == pytest.approx(np.mean(found), abs=0.025)


def test_infinitely_many_leave_the_others_chance() -> None:
    spread = Components(1.0, 50.0, 7.0)
    edge = stats.t.isf(0.025, 99)
    assert spread.power(2, math.inf, 100) == pytest.approx(stats.norm.sf(edge - 2 / math.sqrt(0.5)), abs=1e-4)
    assert spread.power(2, 10, math.inf) == pytest.approx(Components(1.0, 0, 0).power(2, 10, 1000), abs=1e-6)
    assert spread.power(2, 10**6, 10**6) == pytest.approx(1)
    assert Components(0, 0, 0).power(1, 3, 5) == 1.0


@pytest.mark.parametrize("parts", [(1.0, 50.0, 7.0), (0.0, 10.0, 90.0), (4.0, 0.0, 0.0), (2.0, 1.0, 400.0)])
def test_more_is_never_worse(parts: tuple[float, float, float]) -> None:
    spread = Components(*parts)
    by_seeds = [spread.power(2, seeds, 50) for seeds in (2, 3, 4, 5, 8, 16, 64, 1000, math.inf)]
    by_units = [spread.power(2, 4, units) for units in (3, 5, 20, 200, 10**4, 10**7, math.inf)]
    for found in (by_seeds, by_units):
        assert all(later >= earlier - 1e-9 for earlier, later in pairwise(found))


def test_the_number_found_is_the_smallest() -> None:
    found = power(row("a", draw=1), row("b", draw=2), difference=30)
    parts, units = found.components, 40
    assert found.seeds_needed is not None
    assert found.size_needed is not None
    assert parts.power(30, found.seeds_needed, units) >= 0.8
    assert found.seeds_needed == 2 or parts.power(30, found.seeds_needed - 1, units) < 0.8
    assert parts.power(30, 3, found.size_needed) >= 0.8
    assert found.size_needed == 2 or parts.power(30, 3, found.size_needed - 1) < 0.8
    assert found.now == pytest.approx(parts.power(30, 3, units))
    text = "\n".join(found.lines())
    assert f"80% by seeds: {found.seeds_needed} seeds at these 40 test images" in text
    assert f"80% by images: {found.size_needed} test images at these 3 seeds" in text


def test_a_smaller_difference_takes_more() -> None:
    a, b = row("a", draw=1), row("b", draw=2)
    large, small = power(a, b, difference=60), power(a, b, difference=30)
    assert small.seeds_needed is not None
    assert large.seeds_needed is not None
    assert small.seeds_needed > large.seeds_needed
    assert small.now < large.now


def test_seeds_that_agree_leave_the_images() -> None:
    """The same ranks at every seed: no number of seeds helps, more images do."""
    rng = np.random.default_rng(3)
    ranks = rng.integers(1, 12, (2, 60))
    a, b = ([run(name, seed, one[:20], one[20:]) for seed in range(3)] for name, one in zip("ab", ranks, strict=True))
    found = power(a, b, difference=2)
    assert (found.components.seed, found.components.residual) == pytest.approx((0, 0))
    assert found.seeds_needed is None
    assert found.size_needed is not None
    assert found.size_needed > 20
    assert "no number of seeds is enough at these 20 test images" in "\n".join(found.lines())


def test_images_that_agree_leave_the_seeds() -> None:
    """All queries rise and fall together: no number of images helps."""
    a = [run("a", seed, np.full(20, rank), np.full(40, rank)) for seed, rank in enumerate([1, 3, 9])]
    b = [run("b", seed, np.full(20, 6), np.full(40, 6)) for seed in range(3)]
    found = power(a, b, difference=100)
    assert found.components.unit == found.components.residual == pytest.approx(0)
    assert found.size_needed is None
    assert found.seeds_needed is not None
    assert "no number of test images is enough at these 3 seeds" in "\n".join(found.lines())


def test_images_are_counted_not_units() -> None:
    a, b = row("a", draw=1), row("b", draw=2)
    halves = units_of(np.arange(40) // 2, np.arange(80) // 4)
    found = power(a, b, difference=30, units=halves)
    assert found.size_needed is not None
    assert found.size_needed % 2 == 0
    assert found.components.power(30, 3, found.size_needed / 2) >= 0.8


def test_another_metric_has_its_own_spread() -> None:
    """Recalls in one direction are parts of RSUM: what is needed is found from their own contributions."""
    a, b = row("a", draw=1), row("b", draw=2)
    found = power(a, b, difference=30, metric="image_retrieval_recall@1")
    assert found.metric.label == "t2i R@1"
    assert found.components != power(a, b, difference=30).components
    assert power(a, b, difference=30, metric="rsum") == power(a, b, difference=30)
    with pytest.raises(KdbenchError, match="metric: found 'rsun'; did you mean 'rsum'"):
        power(a, b, difference=30, metric="rsun")


def test_what_cannot_be_known_is_refused() -> None:
    with pytest.raises(KdbenchError, match="share 1 seed, expected 2 or more"):
        power(row("a", seeds=[0, 1]), row("b", seeds=[1, 2]), difference=5)
    with pytest.raises(KdbenchError, match="difference: found 0, expected a number of RSUM other than 0"):
        power(row("a"), row("b"), difference=0)
