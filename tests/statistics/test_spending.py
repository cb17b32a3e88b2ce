"""What looks spend."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kdbench.statistics.spending import levels

SEEDS = st.lists(st.integers(2, 100), min_size=1, max_size=8, unique=True).map(sorted)


@given(SEEDS, st.floats(0.001, 0.2))
def test_all_of_the_level_and_no_more(seeds: list[int], level: float) -> None:
    found = levels(seeds, level)
    assert len(found) == len(seeds)
    assert min(found) > 0
    assert abs(sum(found) - level) < 1e-12


def test_the_power_family_by_hand() -> None:
    assert levels([5, 10], 0.05) == [0.05 / 4, 0.05 * 3 / 4]


@given(SEEDS)
def test_late_seeds_may_spend_more_than_early_ones(seeds: list[int]) -> None:
    before = [0, *seeds]
    rates = [level / (after - start) for start, after, level in zip(before, seeds, levels(seeds, 0.05), strict=False)]
    assert all(earlier < later for earlier, later in pairwise(rates))
