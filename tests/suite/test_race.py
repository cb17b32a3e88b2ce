"""The block `race` of a suite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kdbench.suite.race import Race, RaceDesign


@given(st.integers(1, 10), st.integers(1, 40), st.integers(1, 10))
def test_looks_ascend_to_the_last_seed(fewest: int, more: int, looks: int) -> None:
    design = RaceDesign(min_seeds=fewest, max_seeds=fewest + more, looks=looks)
    found = design.seeds_at_looks
    assert list(found) == sorted(set(found))
    assert found[-1] == fewest + more
    assert len(found) == min(looks, more + 1) if looks > 1 else found == (fewest + more,)
    assert found[0] == fewest or looks == 1


def test_the_defaults_of_the_block() -> None:
    assert Race().seeds_at_looks == (3, 5, 7, 10, 16, 24)
    assert str(Race().design) == "looks at 3, 5, 7, 10, 16, 24 seeds, rows with a chance below 1% stop"
    assert Race().design.futility == 0.01
    assert str(Race(futility=0.005).design).endswith("below 0.5% stop")


def test_a_record_from_before_the_rule_for_futility_has_none_and_stays_as_it_was() -> None:
    stored = {"min_seeds": 1, "max_seeds": 4, "looks": 4}
    assert RaceDesign.model_validate(stored).model_dump() == stored
    assert RaceDesign.model_validate(stored).seeds_at_looks == (1, 2, 3, 4)
    assert Race(futility=0.1).design.model_dump()["futility"] == 0.1


@given(st.integers(1, 10), st.integers(1, 40), st.integers(1, 10))
def test_the_looks_of_a_design_are_those_of_the_block(fewest: int, more: int, looks: int) -> None:
    race = Race(min_seeds=fewest, max_seeds=fewest + more, looks=looks)
    assert race.design.seeds_at_looks == race.seeds_at_looks


def test_looks_that_there_are_no_seeds_for_are_no_part_of_the_design() -> None:
    assert Race(min_seeds=2, max_seeds=4, looks=9).design == Race(min_seeds=2, max_seeds=4, looks=3).design


def test_a_race_has_an_end() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1000"):
        Race(max_seeds=1001)


def test_a_budget_is_no_part_of_the_design() -> None:
    assert Race(runs=10, hours=0.5).design == Race().design


def test_the_most_seeds_are_no_fewer_than_the_fewest() -> None:
    with pytest.raises(ValidationError, match="max_seeds of at least min_seeds, 3; it is 2"):
        Race(max_seeds=2)


def test_a_record_of_a_race_has_no_more_looks_than_a_race_may_have() -> None:
    """Bounds of thousands would take hours to compute."""
    with pytest.raises(ValidationError, match="looks"):
        RaceDesign(min_seeds=1, max_seeds=1000, looks=10**9)
