"""How many more seeds would decide."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from kdbench.statistics.cells import Scores
from kdbench.statistics.deciding import more_seeds, what_would_decide
from kdbench.statistics.looks import Stop, look_once
from tests.statistics.test_looks import rows
from tests.statistics.test_projection import in_folds


def told(several: list[Scores], margin: float = 2.0) -> float | None:
    ordered = sorted(several, key=lambda row: -row.values.mean())
    return more_seeds(ordered, look_once(ordered, margin), margin)


def test_what_is_decided_needs_none() -> None:
    assert told(rows([20.0, 0.0])) is None
    assert told(rows([0.0, 0.0], noise=0.01)) is None


def told_of(apart: float, spread: float, seeds: int, margin: float) -> float | None:
    """Of two rows `apart`, whose difference moves by `spread` from seed to seed and hardly from unit to unit."""
    draw = np.linspace(-1, 1, seeds)
    draw *= spread / draw.std(ddof=1)
    quiet = np.tile([1e-6, -1e-6], 200) + np.zeros((seeds, 1))
    pair = [Scores(tuple(range(seeds)), apart + draw[:, None] + quiet), Scores(tuple(range(seeds)), 0 * quiet)]
    return more_seeds(pair, look_once(pair, margin), margin)


@given(st.floats(0.2, 1.5), st.floats(0.5, 3.0), st.integers(3, 8))
def test_as_many_seeds_as_are_told_decide_and_one_fewer_does_not(apart: float, spread: float, seeds: int) -> None:
    """The difference stays, its spread stays, only seeds are added: Student's interval then just leaves 0 out."""
    half = {count: float(t.ppf(0.975, count - 1)) * spread / math.sqrt(count) for count in range(2, 2000)}
    more = told_of(apart, spread, seeds, 0.0)
    if half[seeds] < apart:
        assert more is None
        return
    assert more is not None
    if math.isinf(more):
        assert half[1000] > apart * 0.999
    else:
        assert half[seeds + int(more)] < apart * 1.001
        assert more == 1 or half[seeds + int(more) - 1] > apart * 0.999


def test_equivalence_decides_too() -> None:
    """Rows a tenth apart need very many seeds to differ, and few to be equivalent within a wide margin."""
    wide, some, narrow = (told_of(0.1, 1.5, 4, margin) for margin in (4.0, 1.0, 0.0))
    assert wide is None  # they already are
    assert some
    assert 2 < some < 12
    assert narrow
    assert narrow > 800


def test_no_number_of_seeds_is_enough_where_test_units_vary_more() -> None:
    """The mean of 400 units that vary by 20 points each is uncertain by one, whatever the seeds are."""
    moving = np.random.default_rng(3).normal(0, 20, 400) + np.random.default_rng(4).normal(0, 1e-3, (4, 400))
    pair = [Scores((0, 1, 2, 3), 0.5 + moving - moving.mean()), Scores((0, 1, 2, 3), 0 * moving)]
    more = more_seeds(pair, look_once(pair, 0.0), 0.0)
    assert more == math.inf
    assert what_would_decide(more, pairs=3) == "by these figures, not even 1,000 more seeds would decide every pair"
    assert what_would_decide(more) == "by these figures, not even 1,000 more seeds would decide"
    assert (
        what_would_decide(more, 24)
        == "the race has ended at 24 seeds; by these figures, not even one with 1,000 more would decide"
    )


def test_as_many_seeds_as_are_told_decide_a_table_of_few_folds() -> None:
    """By the table's test, which takes the variance of training from all rows: three folds alone have two degrees of freedom,
    with which a correction for 45 pairs hardly leaves anything to be found."""
    truths = [1.0, *[0.0] * 9]
    more = [told(in_folds(truths, 4, 0.6, draw=draw), 0.0) for draw in range(2, 7)]
    assert all(one and one < 60 for one in more)
    before, after = ([decided(in_folds(truths, seeds, 0.6, draw=draw)) for draw in range(2, 7)] for seeds in (4, 64))
    assert not any(before)
    assert sum(after) >= 3


def decided(several: list[Scores]) -> bool:
    """Whether the first row is better than all others."""
    return bool(look_once(several, 0.0).better[0, 1:].all())


def test_folds_that_vary_by_themselves_are_not_decided_by_seeds() -> None:
    assert told(in_folds([1.0, 0.0, 0.0, 0.0], 6, 0.1, fold=1.5), 0.0) == math.inf


def test_a_new_race_counts_from_none() -> None:
    """A row that was given up at four seeds of eight needs as many in a new race as by itself, not eight and the rest."""
    best, other = rows([1.2, 0.0], seeds=8, units=400, draw=5)
    given_up = Scores(other.seeds[:4], other.values[:4])
    looks = look_once([best, given_up], 0.0)
    more = more_seeds([best, given_up], looks, 0.0)
    assert more
    ended = replace(looks, seeds=(2, 4, 8), stops=[Stop("all seeds", 3), Stop("futile", 2)])
    after = more_seeds([best, given_up], ended, 0.0)
    assert after == max(4 + more - 8, 1)


def test_the_row_that_needs_most_counts() -> None:
    some = rows([1.0, 0.5, 0.0], seeds=4, units=2000, noise=1.0, draw=2)
    several = sorted(some, key=lambda row: -row.values.mean())
    looks = look_once(several, 0.0)
    found = more_seeds(several, looks, 0.0)
    alone = [more_seeds([several[0], other], look_once([several[0], other], 0.0), 0.0) for other in several[1:]]
    assert found
    assert found >= max(one or 0 for one in alone)


def test_one_seed_tells_nothing() -> None:
    assert told(rows([1.0, 0.0], seeds=1)) is None
    assert what_would_decide(None) == "one seed does not tell how many more would decide"


def test_of_what_is_not_trained_seeds_say_nothing() -> None:
    pair = [Scores((0,), row.values, trained=False) for row in rows([0.1, 0.0], seeds=1)]
    assert told(pair, 0.0) == math.inf
