"""mAP@R and R-Precision against a naive full sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from kdbench.tasks.retrieval.one_way import ranks_from_scores
from kdbench.tasks.retrieval.positives import map_at_r, most_positives, positive_ranks, r_precision
from tests.support.score_cases import Case, cases
from tests.support.toys import ints


def relevance(scores: NDArray[Any], concept: int, candidate_concepts: NDArray[Any]) -> list[bool]:
    """Whether each candidate matches, in the order of a full sort, negatives first where scores tie."""
    order = sorted(range(len(scores)), key=lambda c: (-scores[c], candidate_concepts[c] == concept))
    return [bool(candidate_concepts[c] == concept) for c in order]


@given(cases())
def test_ranks_and_figures_equal_those_of_a_full_sort(case: Case) -> None:
    scores, queries, candidates = case
    found = positive_ranks(scores, queries, candidates, most_positives(queries, candidates))
    for row, query, ranks in zip(scores, queries, found, strict=True):
        matches = relevance(row, query, candidates)
        places = [place for place, match in enumerate(matches, start=1) if match]
        assert ranks.tolist() == places + [0] * (found.shape[1] - len(places))
        r = len(places)
        precisions = [np.mean(matches[:k]) for k in range(1, r + 1)]
        assert r_precision(ranks) == pytest.approx(precisions[-1])
        expected = sum(p for p, match in zip(precisions, matches, strict=False) if match) / r
        assert map_at_r(ranks) == pytest.approx(expected)


@given(cases())
def test_the_first_is_the_rank_of_the_best_positive(case: Case) -> None:
    np.testing.assert_array_equal(positive_ranks(*case, most_positives(*case[1:]))[:, 0], ranks_from_scores(*case))


def test_by_hand() -> None:
    """Three positives at 1, 3 and 5: R-Precision 2/3, mAP@R (1 + 2/3)/3 (the third stands behind R)."""
    ranks = positive_ranks(np.array([[5, 4, 3, 2, 1]]), ints(7), ints(7, 8, 7, 9, 7), 3)
    assert ranks.tolist() == [[1, 3, 5]]
    assert r_precision(ranks).tolist() == [2 / 3]
    assert map_at_r(ranks).tolist() == [pytest.approx((1 + 2 / 3) / 3)]


def test_a_tie_counts_against_the_model() -> None:
    ranks = positive_ranks(np.ones((1, 4)), ints(7), ints(7, 7, 8, 9), 2)
    assert ranks.tolist() == [[3, 4]]
    assert r_precision(ranks).tolist() == map_at_r(ranks).tolist() == [0.0]


def test_seeds_are_stacked_in_front() -> None:
    stacked = np.array([[[1, 2], [2, 0]], [[1, 3], [1, 0]]])
    np.testing.assert_array_equal(r_precision(stacked), [[1, 0], [0.5, 1]])
    np.testing.assert_array_equal(map_at_r(stacked), [[1, 0], [0.5, 1]])
