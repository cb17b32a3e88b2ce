"""Rank intervals, tie groups, bold rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kdbench.statistics.tie_groups import Better, bold_rows, rank_intervals, tie_groups


def better(rows: int, *pairs: tuple[int, int]) -> Better:
    found = np.zeros((rows, rows), dtype=bool)
    for i, j in pairs:
        found[i, j] = True
    return found


def test_all_tie() -> None:
    none = better(3)
    assert rank_intervals(none) == [(1, 3)] * 3
    assert tie_groups(none) == [1, 1, 1]
    assert bold_rows(none, [1, 1, 1]) == [False] * 3  # nobody is worse: nothing to be said


def test_a_clear_order() -> None:
    order = better(3, (0, 1), (0, 2), (1, 2))
    assert rank_intervals(order) == [(1, 1), (2, 2), (3, 3)]
    assert tie_groups(order) == [1, 2, 3]
    assert bold_rows(order, [1, 2, 3]) == [True, False, False]


def test_a_middle_row_ties_with_both_ends() -> None:
    """0 beats 2 alone: 1 is of the first group, which is not clear of the second, as 1 does not beat 2."""
    ends = better(3, (0, 2))
    assert rank_intervals(ends) == [(1, 2), (1, 3), (2, 3)]
    assert tie_groups(ends) == [1, 1, 2]
    assert bold_rows(ends, [1, 1, 2]) == [False] * 3


def test_two_winners_are_bold_where_both_beat_all_of_the_next() -> None:
    pairs = better(4, (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert tie_groups(pairs) == [1, 1, 2, 3]
    assert bold_rows(pairs, [1, 1, 2, 3]) == [True, True, False, False]


def test_a_later_row_may_tie_with_the_first_though_an_earlier_one_does_not() -> None:
    skipped = better(3, (0, 1))
    assert tie_groups(skipped) == [1, 2, 1]


@given(st.integers(1, 7), st.integers(0, 10**6))
def test_properties(rows: int, draw: int) -> None:
    sure = np.triu(np.random.default_rng(draw).random((rows, rows)) < 0.4, 1)
    groups = tie_groups(sure)
    firsts = [groups.index(group) for group in range(1, max(groups) + 1)]
    assert firsts == sorted(firsts)
    for row, group in enumerate(groups):
        assert not sure[firsts[group - 1], row]  # ties with its first
        assert all(sure[first, row] for first in firsts[: group - 1])  # and with no earlier first
    for row, (low, high) in enumerate(rank_intervals(sure)):
        assert 1 <= low <= row + 1 <= high <= rows
