"""What queries are resampled in, and what each unit contributes to a metric."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.positives import positive_ranks
from kdbench.tasks.retrieval.ranks import positives_metrics, retrieval_metrics
from kdbench.tasks.retrieval.units import contributions, positives_contributions, units_of


def test_concepts_given_hold_images_and_captions_together() -> None:
    units = units_of({"images": 3, "captions": 4}, (np.array([70, 70, 9]), np.array([9, 70, 70, 5])))
    assert (units.images.tolist(), units.captions.tolist(), units.count, units.note) == ([2, 2, 1], [1, 2, 2, 0], 3, "")


def test_karpathys_layout_is_assumed_and_said() -> None:
    units = units_of({"images": 2, "captions": 6, "concepts": 2})
    assert (units.images.tolist(), units.captions.tolist(), units.count) == ([0, 1], [0, 0, 0, 1, 1, 1], 2)
    assert "Karpathy's layout" in units.note
    assert "3 per image" in units.note


@pytest.mark.parametrize("sizes", [{"images": 4, "captions": 6}, {"images": 4, "captions": 8, "concepts": 2}])
def test_queries_are_independent_where_nothing_is_known(sizes: dict[str, int]) -> None:
    units = units_of(sizes)
    assert units.count == sizes["images"] + sizes["captions"]
    assert np.concatenate([units.images, units.captions]).tolist() == list(range(units.count))
    assert "independent" in units.note


@pytest.mark.parametrize("each", [[255, 255], [256, 256], [300, 20], [600, 600]])
def test_hits_are_counted_however_many_a_unit_has(each: list[int]) -> None:
    units = units_of({"images": 2, "captions": sum(each)}, (np.arange(2), np.repeat(np.arange(2), each)))
    assert units.sums(np.ones((3, sum(each)), dtype=bool), "captions").tolist() == [each] * 3


def test_units_of_another_split_are_refused() -> None:
    with pytest.raises(KdbenchError, match="units of 3 images and 4 captions given, the records have 3 and 5"):
        units_of({"images": 3, "captions": 5}, (np.zeros(3), np.zeros(4)))


def test_their_mean_is_every_seeds_metric_with_uneven_units() -> None:
    rng = np.random.default_rng(0)
    text, image = rng.integers(1, 20, (3, 30)), rng.integers(1, 20, (3, 50))
    units = units_of({"images": 30, "captions": 50}, (rng.integers(0, 12, 30), rng.integers(0, 12, 50)))
    found = contributions(text, image, units, [1, 5, 10])
    for seed in range(3):
        expected = retrieval_metrics(text[seed], image[seed], [1, 5, 10])
        assert found.keys() == expected.keys()
        for metric, value in expected.items():
            assert found[metric].shape == (3, units.count)
            percent = value if metric in ("rsum", "mean_recall", "log_rank") else 100 * value
            assert found[metric][seed].mean() == pytest.approx(percent)


def test_the_mean_is_every_seeds_figure_of_all_positives_with_uneven_units() -> None:
    rng = np.random.default_rng(0)
    images, captions = rng.permutation(np.arange(30) % 12), rng.permutation(np.arange(50) % 12)
    text = np.stack([positive_ranks(rng.integers(0, 9, (30, 50)), images, captions, 5) for _ in range(3)])
    image = np.stack([positive_ranks(rng.integers(0, 9, (50, 30)), captions, images, 3) for _ in range(3)])
    units = units_of({"images": 30, "captions": 50}, (images, captions))
    found = positives_contributions(text, image, units)
    for seed in range(3):
        expected = positives_metrics(text[seed], image[seed])
        assert found.keys() == expected.keys()
        for metric, value in expected.items():
            assert 0 < value < 1
            assert found[metric].shape == (3, units.count)
            assert found[metric][seed].mean() == pytest.approx(100 * value)


def test_by_hand() -> None:
    """Three images, one with two captions. t2i R@1 is 2 of 4; image 0 has both its captions right: 1/2 + 3/4 · 2 · 1/2."""
    units = units_of({"images": 3, "captions": 4}, (np.arange(3), np.array([0, 0, 1, 2])))
    found = contributions(np.array([[1, 2, 2]]), np.array([[1, 1, 2, 2]]), units, [1])
    np.testing.assert_allclose(found["image_retrieval_recall@1"], [[125, 12.5, 12.5]])
    np.testing.assert_allclose(found["text_retrieval_recall@1"], [[100, 0, 0]])
    np.testing.assert_allclose(found["rsum"], [[225, 12.5, 12.5]])


def test_units_that_differ_in_size_alone_have_no_spread() -> None:
    """Half the captions of every image are found: images with more of them do not seem better."""
    units = units_of({"images": 2, "captions": 6}, (np.arange(2), np.array([0, 0, 1, 1, 1, 1])))
    found = contributions(np.array([[1, 1]]), np.array([[1, 2, 1, 2, 1, 2]]), units, [1])
    np.testing.assert_allclose(found["rsum"], [[150, 150]])


def test_the_influence_is_that_of_leaving_a_unit_out() -> None:
    """To first order: the jackknife's figures, U·R − (U−1)·R without the unit, of a ratio."""
    rng = np.random.default_rng(1)
    captions = np.repeat(np.arange(400), rng.integers(1, 6, 400))
    units = units_of({"images": 400, "captions": len(captions)}, (np.arange(400), captions))
    hits = rng.random(len(captions)) < 0.3
    image = np.where(hits, 1, 9)[None]
    found = contributions(np.full((1, 400), 9), image, units, [1])["image_retrieval_recall@1"][0]
    jackknife = [400 * hits.mean() - 399 * hits[captions != unit].mean() for unit in range(400)]
    np.testing.assert_allclose(found, 100 * np.array(jackknife), atol=2.0)
    assert np.std(found) > 20  # ten times what they may be apart
