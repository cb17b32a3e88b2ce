"""All pairs of rows: differences, what they learn from each other, Holm's correction."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t

from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import estimate, mean_squares
from kdbench.statistics.folds import excess, fold_squares
from kdbench.statistics.looks import look_once
from kdbench.statistics.pair_tests import (
    Pairs,
    _p,
    difference,
    holm,
    pooled_seeds,
)


def rows(count: int, seeds: int = 3, units: int = 25, draw: int = 0, apart: float = 0.0) -> list[Scores]:
    rng = np.random.default_rng(draw)
    hard = rng.normal(size=units)
    noise = rng.normal(size=(count, seeds, units)) + 0.3 * rng.normal(size=(count, seeds, 1))
    return [Scores(tuple(range(seeds)), apart * place + hard + noise[place]) for place in range(count)]


def slow_holm(p: list[float]) -> list[float]:
    """By the definition: the largest of (number of p-values not smaller) · p over all that come no later."""
    ranked = sorted(range(len(p)), key=lambda i: p[i])
    return [min(1.0, max((len(p) - k) * p[j] for k, j in enumerate(ranked[: ranked.index(i) + 1]))) for i in range(len(p))]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_against_its_definition(p: list[float]) -> None:
    assert holm(np.array(p)).tolist() == pytest.approx(slow_holm(p))


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_differences_are_paired_by_seed() -> None:
    values = np.arange(8.0).reshape(4, 2)
    found = difference(Scores((0, 1, 4, 7), values), Scores((1, 2, 7), 10 * values[:3]))
    assert found.seeds == (1, 7)
    np.testing.assert_array_equal(found.values, [values[1] - 10 * values[0], values[3] - 10 * values[2]])
    assert difference(Scores((0,), values[:1]), Scores((1,), values[:1])).seeds == ()


def test_what_is_not_trained_pairs_with_every_seed() -> None:
    fixed, values = Scores((0,), np.array([[1.0, 2.0]]), trained=False), np.arange(6.0).reshape(3, 2)
    found, opposite = difference(fixed, Scores((3, 4, 5), values)), difference(Scores((3, 4, 5), values), fixed)
    assert found.seeds == opposite.seeds == (3, 4, 5)
    np.testing.assert_array_equal(found.values, [1, 2] - values)
    np.testing.assert_array_equal(opposite.values, -found.values)
    both = difference(fixed, fixed)
    assert (both.seeds, both.trained) == ((0,), False)


def test_pooled_is_the_mean_of_the_pairs_own() -> None:
    """The interaction rows × seeds, twice, is the mean over pairs of their mean squares of seeds."""
    some = rows(5, seeds=4)
    own = [mean_squares(difference(a, b).values).seed for i, a in enumerate(some) for b in some[:i]]
    pooled = pooled_seeds(some)
    assert pooled is not None
    assert pooled[0] == pytest.approx(np.mean(own))
    assert 1 <= pooled[1] <= 4 * 3


def test_degrees_of_freedom_are_those_of_the_rows_that_vary() -> None:
    """All rows alike: (R−1)(S−1). One row alone moves: little more than its own S−1."""
    seeds = np.array([[-1.0], [0.0], [1.0]])
    alike = [Scores((0, 1, 2), sign * seeds + np.zeros((3, 4))) for sign in (1, -1, 1, -1)]
    assert pooled_seeds(alike) == pytest.approx((2 * 4 * 8 / 6, 6))
    alone = [Scores((0, 1, 2), scale * seeds + np.zeros((3, 4))) for scale in (5, *[0] * 19)]
    pooled = pooled_seeds(alone)
    assert pooled is not None
    assert 2 <= pooled[1] < 2.5


def test_nothing_is_pooled_without_two_seeds_that_all_rows_share() -> None:
    one = rows(3, seeds=3)
    assert pooled_seeds([Scores((0,), row.values[:1]) for row in one]) is None
    assert pooled_seeds([one[0], Scores((2, 3, 4), one[1].values), one[2]]) is None


def test_two_rows_have_the_pairs_own_test() -> None:
    a, b = rows(2, apart=0.5)
    assert Pairs([a, b]).corrected_p()[0, 1] == pytest.approx(estimate(a.values - b.values).p)


@given(st.integers(0, 10**6))
def test_symmetric_and_blind_to_the_order_of_rows(draw: int) -> None:
    some, order = rows(4, draw=draw, apart=0.3), np.random.default_rng(draw).permutation(4)
    found = Pairs(some).corrected_p()
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)
    np.testing.assert_allclose(Pairs([some[i] for i in order]).corrected_p(), found[np.ix_(order, order)], rtol=1e-6)


def test_identical_rows_never_differ_and_far_ones_do() -> None:
    some = rows(4)
    twins: NDArray[np.float64] = Pairs([*some, some[2]]).corrected_p()
    assert twins[2, 4] == 1
    apart = Pairs(rows(4, units=200, apart=3.0)).corrected_p()
    assert (apart[np.triu_indices(4, 1)] < 0.05).all()


def test_no_pair_is_surer_than_its_own_seeds_allow_by_much_noise_elsewhere() -> None:
    """A row that seeds move a great deal keeps its own spread among calm ones."""
    some = rows(5, units=50, apart=0.2)
    wild = Scores((0, 1, 2), some[0].values + np.array([[-9.0], [0.0], [12.0]]))
    assert (Pairs([wild, *some]).corrected_p()[0, 1:] > 0.05).all()


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_rows_of_the_same_seeds_are_tested_as_pairs_are_one_by_one(seeds: int) -> None:
    some = rows(7, seeds=seeds, units=40, apart=0.1)
    pool = pooled_seeds(some)
    one_by_one = [float(_p(mean_squares(a.values - b.values), pool)) for a, b in combinations(some, 2)]
    np.testing.assert_allclose(Pairs(some).p(), one_by_one, rtol=1e-9)


def test_a_pair_has_the_larger_of_its_own_square_and_the_pooled_one() -> None:
    """By the definition: the level at which the interval with that square and the pooled degrees of freedom reaches 0."""
    some = rows(6, units=40, draw=3, apart=0.1)
    steady = Scores((0, 1, 2), some[0].values + np.random.default_rng(5).normal(0, 0.3, (1, 40)))  # seeds move both alike
    some = [*some, steady]
    pool = pooled_seeds(some)
    assert pool is not None
    larger = 0
    for (a, b), p in zip(combinations(some, 2), Pairs(some).p(), strict=True):
        own = mean_squares(a.values - b.values)
        larger += own.seed > pool[0]
        seed, unit = max(float(own.seed), pool[0]), max(float(own.unit - own.residual), 0.0)
        half = t.isf(p / 2, pool[1]) * seed + t.isf(p / 2, own.units - 1) * unit
        assert half / np.sqrt((seed + unit) * own.seeds * own.units) == pytest.approx(abs(float(own.mean)), rel=1e-5)
    assert 0 < larger < len(Pairs(some).p())


SUITES = 60


def found_in_suites(truths: list[float]) -> tuple[float, float]:
    """The share of simulated suites with a false difference, and the share of true differences found, at 3 seeds."""
    rng = np.random.default_rng(0)
    apart = np.subtract.outer(truths, truths)
    false = found = 0.0
    for _ in range(SUITES):
        hard = rng.normal(size=30)
        x = np.reshape(truths, (-1, 1, 1)) + hard + rng.normal(size=(len(truths), 3, 1)) + rng.normal(size=(len(truths), 3, 30))
        better = look_once([Scores((0, 1, 2), row) for row in x], 0.0).better
        false += bool((better & (apart <= 0)).any())
        found += float(better[apart > 0].mean()) if (apart > 0).any() else 0.0
    return false / SUITES, found / SUITES


def test_few_suites_have_a_false_difference_and_most_true_ones_are_found() -> None:
    """Without a correction, three suites in five of eight equal rows would have one; rows that pool nothing find none of
    these true ones at three seeds."""
    false, _ = found_in_suites([0.0] * 8)
    assert false <= 0.08
    false, found = found_in_suites([0.0] * 4 + [6.0] * 4)
    assert false <= 0.08
    assert found >= 0.9


def test_rows_without_a_common_seed_are_not_tested() -> None:
    a, b, c = rows(3, apart=3.0)
    found = Pairs([a, Scores((7, 8, 9), b.values), c]).corrected_p()
    assert np.isnan(found[[0, 1], [1, 2]]).all()
    assert found[0, 2] == pytest.approx(estimate(a.values - c.values).p)


@given(st.integers(0, 10**6), st.floats(0.1, 3))
def test_equivalence_is_the_interval_within_the_margin(draw: int, margin: float) -> None:
    """Two one-sided tests at 2.5 % are the 95 % interval of the pair alone (Schuirmann 1987)."""
    a, b = rows(2, draw=draw, apart=0.4)
    found = estimate(a.values - b.values)
    inside = -margin < found.low and found.high < margin
    p = float(Pairs([a, b]).equivalence_p(margin)[0])
    assert inside == (p < 0.025) or abs(p - 0.025) < 1e-6


def test_equivalence_of_all_pairs_is_corrected_and_none_is_of_rows_beyond_the_margin() -> None:
    some = rows(4, units=200, apart=3.0)
    np.testing.assert_array_equal(Pairs(some).corrected_equivalence_p(2.0)[~np.eye(4, dtype=bool)], 1)
    near = rows(4, seeds=12, units=200)
    found = Pairs(near).corrected_equivalence_p(2.0)
    np.testing.assert_array_equal(np.diag(found), 0)
    np.testing.assert_allclose(found[np.triu_indices(4, 1)], holm(Pairs(near).equivalence_p(2.0)))
    assert (found < 0.05).all()


FOLDS = (12, 9, 15, 12)


def rows_of_folds(count: int, seeds: int, draw: int = 0) -> list[Scores]:
    rng, units = np.random.default_rng(draw), sum(FOLDS)
    shared = rng.normal(size=units)
    moved = rng.normal(size=(count, seeds, len(FOLDS)))[:, :, np.repeat(np.arange(len(FOLDS)), FOLDS)]
    x = shared + 0.4 * moved + rng.normal(size=(count, seeds, units))
    return [Scores(tuple(range(seeds)), one, folds=FOLDS) for one in x]


@pytest.mark.parametrize("seeds", [1, 3])
def test_two_rows_of_folds_are_tested_by_their_own_table(seeds: int) -> None:
    a, b = rows_of_folds(2, seeds)
    between = difference(a, b)
    assert between.folds == FOLDS
    assert Pairs([a, b]).corrected_p()[0, 1] == pytest.approx(between.estimate.p)
    pool = pooled_seeds([a, b])
    assert pool is not None
    assert (pool[0] * seeds, pool[1]) == pytest.approx((between.squares.seed, 3))


def test_what_folds_add_is_pooled_over_rows() -> None:
    """The mean over pairs of the mean squares, with as many more degrees of freedom."""
    rows = rows_of_folds(7, 2, draw=4)
    pairs = [fold_squares(difference(a, b).values, FOLDS) for i, a in enumerate(rows) for b in rows[:i]]
    between, unit = (float(np.mean([getattr(one, name) for one in pairs])) / 2 for name in ("between", "unit"))
    pool = pooled_seeds(rows)
    assert pool is not None
    assert 6 <= pool[1] <= 18
    assert pool[0] == pytest.approx(float(excess(between, unit, FOLDS, pool[1])))


def test_rows_of_folds_alike_are_tested_as_pair_by_pair() -> None:
    rows = rows_of_folds(5, 2, draw=2)
    other = Scores((0, 1, 2), np.concatenate([rows[0].values, rows[0].values[:1]]), folds=FOLDS)
    alike, mixed = Pairs(rows).p(), Pairs([*rows, other]).p()
    places = [place for place, (_, j) in enumerate(combinations(range(6), 2)) if j < 5]
    np.testing.assert_allclose(mixed[places], alike, rtol=0.2)  # the pool has one row more
    assert not np.isnan(mixed).any()


def test_an_untrained_row_of_folds_fits_any_seed() -> None:
    row, teacher = rows_of_folds(2, 3)
    untrained = Scores((0,), teacher.values[:1], trained=False, folds=FOLDS)
    for found in (difference(row, untrained), difference(untrained, row), difference(untrained, untrained)):
        assert found.folds == FOLDS
