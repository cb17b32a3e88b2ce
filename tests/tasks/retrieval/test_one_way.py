"""Ranks against a naive full sort."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.tasks.retrieval.one_way import all_ranks, ranks, ranks_from_scores, score_matrix
from kdbench.tasks.retrieval.positives import most_positives, positive_ranks
from kdbench.tasks.retrieval.ranks import recall
from tests.support.score_cases import Case, cases
from tests.support.toys import ints


def places(scores: NDArray[Any], query_concept: int, candidate_concepts: NDArray[Any]) -> list[int]:
    """Places from 1 of a query's positives in the whole list, sorted by score, negatives first where scores tie."""
    order = sorted(range(len(scores)), key=lambda c: (-scores[c], candidate_concepts[c] == query_concept))
    return [place for place, c in enumerate(order, start=1) if candidate_concepts[c] == query_concept]


@given(cases())
def test_recall_equals_that_of_a_full_sort(case: Case) -> None:
    scores, queries, candidates = case
    found = ranks_from_scores(scores, queries, candidates)
    sorted_places = [places(row, concept, candidates) for row, concept in zip(scores, queries, strict=True)]
    assert found.tolist() == [min(row) for row in sorted_places]
    for k in range(1, len(candidates) + 1):
        assert recall(found, k) == np.mean([any(place <= k for place in row) for row in sorted_places])


@given(cases(), st.integers(1, 9))
def test_the_size_of_a_chunk_does_not_matter(case: Case, chunk: int) -> None:
    scores, queries, candidates = case
    # One-hot candidates: inner products are the scores, exactly.
    embedded = np.eye(len(candidates), dtype=np.float32)
    found = ranks(scores.astype(np.float32), embedded, queries, candidates, chunk=chunk)
    np.testing.assert_array_equal(found, ranks_from_scores(scores, queries, candidates))


@given(cases(), st.integers(1, 9))
def test_with_all_positives_the_best_ones_ranks_stay(case: Case, chunk: int) -> None:
    scores, queries, candidates = case
    embedded = np.eye(len(candidates), dtype=np.float32)
    found = all_ranks(scores.astype(np.float32), embedded, queries, candidates, chunk=chunk)
    np.testing.assert_array_equal(found, positive_ranks(scores, queries, candidates, most_positives(queries, candidates)))
    np.testing.assert_array_equal(found[:, 0], ranks_from_scores(scores, queries, candidates))


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(case: Case, random: Any) -> None:
    scores, queries, candidates = case
    order = list(range(len(candidates)))
    random.shuffle(order)
    np.testing.assert_array_equal(
        ranks_from_scores(scores[:, order], queries, candidates[order]), ranks_from_scores(scores, queries, candidates)
    )


@given(cases())
def test_a_further_negative_cannot_help_and_a_further_positive_cannot_hurt(case: Case) -> None:
    scores, queries, candidates = case
    before = ranks_from_scores(scores, queries, candidates)
    score = np.zeros((len(queries), 1), dtype=np.int64)
    stranger = ranks_from_scores(np.hstack([scores, score]), queries, np.append(candidates, 99))
    assert (stranger >= before).all()
    assume(len(set(queries.tolist())) == 1)
    friend = ranks_from_scores(np.hstack([scores, score]), queries, np.append(candidates, queries[0]))
    assert (friend <= before).all()


def test_a_tie_counts_against_the_model() -> None:
    assert ranks_from_scores(np.array([[1, 1, 0]]), ints(7), ints(7, 8, 9)).tolist() == [2]
    assert ranks_from_scores(np.array([[1, 1, 1]]), ints(7), ints(7, 8, 9)).tolist() == [3]


def test_positives_do_not_stand_in_each_others_way() -> None:
    assert ranks_from_scores(np.array([[3, 3, 2, 1]]), ints(7), ints(7, 7, 7, 8)).tolist() == [1]
    assert ranks_from_scores(np.array([[1, 2, 3, 4]]), ints(7), ints(7, 7, 7, 8)).tolist() == [2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["queries", "candidates"])
def test_values_that_are_not_finite_are_refused(value: float, side: str) -> None:
    embedded = {"queries": np.eye(3), "candidates": np.eye(3)}
    embedded[side][1, 2] = value
    with pytest.raises(ValueError, match="not finite"):
        ranks(embedded["queries"], embedded["candidates"], np.arange(3), np.arange(3))


@pytest.mark.parametrize("chunk", [2, 1024])
def test_a_query_without_a_match_is_refused_and_named(chunk: int) -> None:
    with pytest.raises(ValueError, match=r"query 5 \(concept 42\) has no matching candidate"):
        ranks(np.eye(6), np.eye(6), ints(0, 1, 2, 3, 4, 42), np.arange(6), chunk=chunk)
    with pytest.raises(ValueError, match=r"query 5 \(concept 42\) has no matching candidate"):
        all_ranks(np.eye(6), np.eye(6), ints(0, 1, 2, 3, 4, 42), np.arange(6), chunk=chunk)


def test_scores_are_the_exact_sums_rounded_once() -> None:
    """Sums in float32 are off in their last digits, by another amount at another position: ties would break at random."""
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(size=(count, 256)).astype(np.float32) for count in (8, 40))
    products = [[(query.astype(np.float64) * candidate).tolist() for candidate in candidates] for query in queries]
    exact = np.array([[math.fsum(terms) for terms in row] for row in products]).astype(np.float32)
    np.testing.assert_array_equal(score_matrix(queries, candidates), exact)
