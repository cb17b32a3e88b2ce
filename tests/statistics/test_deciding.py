"""How many more seeds would decide."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from kdbench.statistics.cells import Scores
from kdbench.statistics.deciding import more_seeds, what_would_decide
from kdbench.statistics.looks import look_once
from tests.statistics.test_looks import rows


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
    assert what_would_decide(more, pairs=3) == "not even 1,000 more seeds would decide every pair, as test units vary, too"
    assert what_would_decide(more) == "not even 1,000 more seeds would decide, as test units vary, too"
    assert (
        what_would_decide(more, 24)
        == "the race has ended at 24 seeds; not even 1,000 more seeds would decide, as test units vary, too"
    )


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
