"""Shapley values: exact coefficients, and the axioms that name them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from math import comb

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.plugins.loading import installed
from kdbench.plugins.parameters import construct
from kdbench.suite.sub_teams import Team, teams_of
from kdbench_plugins.attributions.shapley import Shapley, coefficient

Floats = NDArray[np.float64]
NAMES = "abcde"


def values(value: Callable[[Team], Floats], count: int) -> dict[Team, Floats]:
    return {team: value(team) for team in teams_of(NAMES[:count])}


def chance(team: Team, draw: int) -> Floats:
    """Any game: the values of each team are its own, and the same whenever asked."""
    return np.random.default_rng([draw, *map(ord, sorted(team))]).normal(50, 20, (3, 7))


@given(st.integers(1, 10))
def test_values_sum_to_what_the_team_gains_exactly(count: int) -> None:
    """In fractions: summed over teachers, every team's coefficient is 0 but those of all and none, 1 and -1."""
    for size in range(count + 1):  # of a team; each of its teachers has joined it, each other one would leave it
        joined = size * coefficient(size - 1, count) if size else Fraction(0)
        left = (count - size) * coefficient(size, count) if size < count else Fraction(0)
        assert joined - left == (size == count) - (size == 0)
    assert sum(comb(count - 1, size) * coefficient(size, count) for size in range(count)) == 1  # a mean of what is added


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_it_is_the_average_over_all_orders(count: int, draw: int) -> None:
    """By the definition: teachers join one after the other, in every order, and each has what the values change by then."""
    known = values(lambda team: chance(team, draw), count)
    found = Shapley().divide(known, NAMES[:count])
    orders = list(permutations(NAMES[:count]))
    for teacher in NAMES[:count]:
        joined = [order[: order.index(teacher)] for order in orders]
        slow = np.mean([known[frozenset({*there, teacher})] - known[frozenset(there)] for there in joined], axis=0)
        np.testing.assert_allclose(found[teacher], slow)


@given(st.integers(2, 5), st.integers(0, 10**6))
def test_who_changes_nothing_has_exact_zeros(count: int, draw: int) -> None:
    found = Shapley().divide(values(lambda team: chance(team - {"b"}, draw), count), NAMES[:count])
    assert not found["b"].any()


def test_by_hand() -> None:
    """Gloves: a has a left one, b and c a right one, and a pair is worth 6: 4, 1 and 1."""
    known = values(lambda team: np.full((1, 2), 6.0 * ("a" in team and len(team) > 1)), 3)
    found = Shapley().divide(known, "abc")
    for name, value in {"a": 4, "b": 1, "c": 1}.items():
        np.testing.assert_allclose(found[name], value)


def test_it_is_offered() -> None:
    listed = installed().find("attribution", "shapley")
    assert construct(listed.offer, {}).label == "Shapley"
