"""Points of one cost."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.reports.plots.spreading import spread_sideways


@given(st.lists(st.sampled_from([1.0, 2.0, 2.5, 8.0]), min_size=1, max_size=40), st.floats(0.001, 2))
def test_equal_costs_are_spread_and_none_mix(costs: list[float], step: float) -> None:
    costs.sort()
    moved = [cost + offset for cost, offset in zip(costs, spread_sideways(costs, step), strict=True)]
    groups = [[place for _, place in group] for _, group in groupby(zip(costs, moved, strict=True), key=lambda pair: pair[0])]
    for cost, group in zip(sorted(set(costs)), groups, strict=True):
        assert group[0] == cost
        assert len({round(place, 9) for place in group}) == len(group)
        assert max(abs(place - cost) for place in group) <= step * (len(group) // 2) + 1e-9
    for before, after in pairwise(groups):
        assert max(before) < min(after)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_single_cost_is_spread_by_steps(count: int) -> None:
    offsets = sorted(spread_sideways([3.0] * count, 0.5))
    assert offsets == sorted(0.5 * place for place in range(-((count - 1) // 2), count // 2 + 1))
    assert all(after >= before for before, after in pairwise(offsets))


def test_points_of_equal_cost_stand_side_by_side_and_near() -> None:
    costs = [1.0, 1.0, 1.0, 1.0, 1.5, 4.0, 4.0]
    drawn = [cost + offset for cost, offset in zip(costs, spread_sideways(costs, 1.0), strict=True)]
    assert len(set(drawn)) == len(costs)
    assert (drawn[0], drawn[4], drawn[5]) == (1.0, 1.5, 4.0)
    assert all(abs(x - cost) < 0.25 for x, cost in zip(drawn, costs, strict=True))
    assert drawn[1] > 1.0 > drawn[2]
    assert spread_sideways([1.0, 2.0], 1.0) == [0.0, 0.0]
    assert spread_sideways([], 1.0) == []
