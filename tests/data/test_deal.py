"""Concepts dealt into folds: each tested once, groups whole, parts of one size, whatever the order they come in."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import SplitName
from kdbench.data.deal import dealt
from kdbench.errors import KdbenchError

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
concepts = st.sets(st.integers(0, 10**6), min_size=12, max_size=60)


@given(concepts, st.integers(3, 6), st.integers(1, 5))
def test_every_concept_is_tested_once_and_in_one_split_of_each_fold(some: set[int], of: int, validation: int) -> None:
    folds = [dealt(some, {}, index, of, validation) for index in range(of)]
    assert sorted(concept for fold in folds for concept in fold["test"]) == sorted(some)
    for fold in folds:
        assert sorted(concept for name in SPLITS for concept in fold[name]) == sorted(some)
        assert len(fold["validation"]) == validation
        assert abs(len(fold["test"]) - len(some) / of) < 1


@given(concepts, st.randoms())
def test_the_order_does_not_matter(some: set[int], random: object) -> None:
    shuffled = sorted(some, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert dealt(shuffled, {}, 1, 4, 2) == dealt(sorted(some), {}, 1, 4, 2)


@given(concepts)
def test_groups_stay_together(some: set[int]) -> None:
    groups = {concept: f"group {concept % 7}" for concept in some if concept % 2}
    for index in range(3):
        fold = dealt(some, groups, index, 3, 2)
        for one, other in combinations(SPLITS, 2):
            assert not {groups[c] for c in fold[one] if c in groups} & {groups[c] for c in fold[other] if c in groups}


def test_large_groups_do_not_make_parts_uneven() -> None:
    groups = dict.fromkeys(range(20), "clock faces") | dict.fromkeys(range(20, 30), "keys")
    sizes = [len(dealt(range(100), groups, index, 5, 5)["test"]) for index in range(5)]
    assert sizes == [20] * 5
    assert [set(range(20)) <= set(dealt(range(100), groups, index, 5, 5)["test"]) for index in range(5)].count(True) == 1


def test_folds_validate_on_different_concepts() -> None:
    chosen = [set(dealt(range(100), {}, index, 5, 10)["validation"]) for index in range(5)]
    assert not any(one & other for one, other in combinations(chosen, 2))


def test_fewer_groups_than_folds() -> None:
    with pytest.raises(KdbenchError, match="folds: found 5; expected at most 4, the groups of concepts that the dataset has"):
        dealt(range(40), {concept: f"group {concept % 4}" for concept in range(40)}, 0, 5, 2)
