"""Ranks against a naive full sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.tasks.retrieval.positives import most_positives, positive_ranks
from kdbench.tasks.retrieval.ranks import Ranks, all_ranks, ranks, ranks_from_scores, recall, retrieval_metrics
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


@pytest.mark.parametrize(("images", "captions", "width"), [(20, 1, 37), (37, 5, 100), (100, 5, 37), (100, 5, 512)])
def test_a_collapsed_model_scores_nothing(images: int, captions: int, width: int) -> None:
    """Everything on one point, whose inner products with itself are not round numbers."""
    point = np.random.default_rng(0).normal(size=width).astype(np.float32)
    point /= np.linalg.norm(point)
    concepts = np.arange(images)
    found = Ranks(
        text=ranks(
            np.tile(point, (images, 1)), np.tile(point, (images * captions, 1)), concepts, np.repeat(concepts, captions)
        ),
        image=ranks(
            np.tile(point, (images * captions, 1)), np.tile(point, (images, 1)), np.repeat(concepts, captions), concepts
        ),
    )
    assert found.text.tolist() == [images * captions - captions + 1] * images
    assert found.image.tolist() == [images] * images * captions
    assert found.metrics([1, 5, 10])["rsum"] == 0


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


def test_one_image_with_five_captions() -> None:
    """Flickr's case by hand: two images, ten captions; images find a caption, captions find their image."""
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    captions = np.array([[9, 1], [1, 9], [1, 9], [1, 9], [1, 9], [8, 2], [8, 2], [8, 2], [8, 2], [8, 2]], dtype=float)
    image_concepts, caption_concepts = ints(0, 1), ints(*[0] * 5, *[1] * 5)
    text = ranks(images, captions, image_concepts, caption_concepts)
    image = ranks(captions, images, caption_concepts, image_concepts)
    assert text.tolist() == [1, 5]  # the best of five captions counts; four strangers stand before the second image's
    assert image.tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    metrics = Ranks(text, image).metrics([1, 5, 10])
    assert metrics == pytest.approx(
        {
            "text_retrieval_recall@1": 0.5,
            "text_retrieval_recall@5": 1.0,
            "text_retrieval_recall@10": 1.0,
            "image_retrieval_recall@1": 0.1,
            "image_retrieval_recall@5": 1.0,
            "image_retrieval_recall@10": 1.0,
            "rsum": 460.0,
            "mean_recall": 460.0 / 6,
        }
    )


@given(st.lists(st.integers(1, 20), min_size=1), st.lists(st.integers(1, 20), min_size=1))
def test_rsum_and_mean_recall(text: list[int], image: list[int]) -> None:
    metrics = retrieval_metrics(ints(*text), ints(*image), [1, 5, 10])
    shares = [np.mean([rank <= k for rank in side]) for side in (text, image) for k in (1, 5, 10)]
    assert metrics["rsum"] == pytest.approx(100 * sum(shares))
    assert metrics["mean_recall"] == pytest.approx(100 * float(np.mean(shares)))
    assert 0 <= metrics["rsum"] <= 600
    assert metrics["text_retrieval_recall@5"] == np.mean([rank <= 5 for rank in text])
