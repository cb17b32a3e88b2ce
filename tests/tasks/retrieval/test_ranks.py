"""The figures of ranks in both directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.tasks.retrieval.one_way import all_ranks
from kdbench.tasks.retrieval.ranks import Ranks, retrieval_metrics
from tests.support.toys import ints


@pytest.mark.parametrize(("images", "captions", "width"), [(20, 1, 37), (37, 5, 100), (100, 5, 37), (100, 5, 512)])
def test_a_collapsed_model_scores_nothing(images: int, captions: int, width: int) -> None:
    """Everything on one point, whose inner products with itself are not round numbers."""
    point = np.random.default_rng(0).normal(size=width).astype(np.float32)
    point /= np.linalg.norm(point)
    concepts = np.arange(images)
    captioned = np.repeat(concepts, captions)
    found = Ranks.of(np.tile(point, (images, 1)), np.tile(point, (images * captions, 1)), concepts, captioned)
    assert found.text.tolist() == [images * captions - captions + 1] * images
    assert found.image.tolist() == [images] * images * captions
    assert found.metrics([1, 5, 10])["rsum"] == 0


def test_one_image_with_five_captions() -> None:
    """Flickr's case by hand: two images, ten captions; images find a caption, captions find their image."""
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    captions = np.array([[9, 1], [1, 9], [1, 9], [1, 9], [1, 9], [8, 2], [8, 2], [8, 2], [8, 2], [8, 2]], dtype=float)
    image_concepts, caption_concepts = ints(0, 1), ints(*[0] * 5, *[1] * 5)
    found = Ranks.of(images, captions, image_concepts, caption_concepts)
    assert found.text.tolist() == [1, 5]  # the best of five captions counts; four strangers stand before the second image's
    assert found.image.tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    metrics = found.metrics([1, 5, 10])
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
            "log_rank": (math.log(5) / 2 + 9 * math.log(2) / 10) / 2,
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


def test_with_all_positives_the_best_ones_ranks_are_the_same() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(30, 8)).astype(np.float32), rng.normal(size=(90, 8)).astype(np.float32)
    concepts, captioned = np.arange(30) // 2, np.repeat(np.arange(15), 6)
    plain, full = (Ranks.of(images, texts, concepts, captioned, positives) for positives in (False, True))
    np.testing.assert_array_equal(plain.text, full.text)
    np.testing.assert_array_equal(plain.image, full.image)
    np.testing.assert_array_equal(full.arrays["text_positives"], all_ranks(images, texts, concepts, captioned))
    assert set(plain.arrays) == {"text", "image"}


@given(st.lists(st.integers(1, 50), min_size=1), st.lists(st.integers(1, 50), min_size=1))
def test_the_mean_log_rank_is_the_logarithm_of_geometric_means(text: list[int], image: list[int]) -> None:
    found = retrieval_metrics(np.array(text), np.array(image), [1])["log_rank"]
    means = [math.exp(math.fsum(map(math.log, ranks)) / len(ranks)) for ranks in (text, image)]
    assert found == pytest.approx(math.log(math.sqrt(means[0] * means[1])), abs=1e-9)
    assert found >= 0
