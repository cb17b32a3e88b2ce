"""One pass of float32 scores gives every rank that float64 gives, whatever lies close together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.tasks.retrieval import both_ways
from kdbench.tasks.retrieval.both_ways import LANE, TILE, ranks_both_ways
from kdbench.tasks.retrieval.one_way import ranks
from tests.support.toys import ints

Case = tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], NDArray[np.int64]]


def agrees(case: Case) -> None:
    images, texts, image_concepts, caption_concepts = case
    text, image = ranks_both_ways(*case)
    np.testing.assert_array_equal(text, ranks(images, texts, image_concepts, caption_concepts))
    np.testing.assert_array_equal(image, ranks(texts, images, caption_concepts, image_concepts))
    assert text.dtype == image.dtype == np.int32


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


@st.composite
def collections(draw: st.DrawFn) -> Case:
    """Unit vectors around a few points: apart, at distances of float32's rounding, or equal; several images a concept."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    count, width, points = draw(st.integers(1, 60)), draw(st.sampled_from([1, 2, 7, 64, 300])), draw(st.integers(1, 8))
    spread = draw(st.sampled_from([0.0, 1e-8, 1e-7, 1e-6, 1e-3, 1.0]))
    centres = rng.normal(size=(points, width))
    concepts = np.concatenate([np.arange(count), rng.integers(0, count, draw(st.integers(0, 40)))])
    captions = np.concatenate([np.arange(count), rng.integers(0, count, draw(st.integers(0, 120)))])
    made = []
    for of in (concepts, captions):
        rows = centres[rng.integers(0, points, len(of))] + spread * rng.normal(size=(len(of), width))
        made.append(unit(rows + 1e-30))
    return made[0], made[1], rng.permutation(concepts).astype(np.int64), rng.permutation(captions).astype(np.int64)


@given(collections(), st.booleans())
def test_every_rank_is_that_of_float64(case: Case, wide: bool) -> None:
    agrees((case[0].astype(np.float64), *case[1:]) if wide else case)


@given(collections())
def test_the_size_of_tiles_and_of_what_is_scored_together_does_not_matter(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both_ways, "TILE", (LANE, 8))
        patch.setattr(both_ways, "PAIRS", 3)
        agrees(case)
        patch.setattr(both_ways, "DENSE", 1.1)  # nothing counts as dense
        agrees(case)
        patch.setattr(both_ways, "DENSE", 0.0)  # everything does
        agrees(case)


@pytest.mark.parametrize("shape", [(TILE[0] - 1, TILE[1] + 1), (TILE[0] + 1, TILE[1]), (2 * TILE[0] + 3, 17)])
@pytest.mark.parametrize("spread", [1.0, 1e-7, 0.0])
def test_tiles_at_their_edges(shape: tuple[int, int], spread: float) -> None:
    """As many images and captions as a tile has, one more and one less; a model that keeps nothing apart.

    With few positives, so that tiles are used at all.
    """
    rng = np.random.default_rng(0)
    images, texts = (unit(np.ones(16) + spread * rng.normal(size=(count, 16))) for count in shape)
    count = min(shape)
    for concepts in (count, 7):
        of_images, of_texts = np.arange(shape[0]) % concepts, np.arange(shape[1]) % concepts
        agrees((images, texts, of_images, of_texts))
        agrees((texts, images, of_texts, of_images))


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 30.0, 1e10, 1e18, 1e19, 1e200])
def test_embeddings_of_any_length(scale: float) -> None:
    """The margin grows with the lengths; what float32 cannot hold is left to float64."""
    rng = np.random.default_rng(1)
    images, texts = rng.normal(size=(50, 9)) * scale, rng.normal(size=(80, 9))
    images[0] = texts[0] = 0.0
    with np.errstate(over="ignore"):  # scores are rounded to float32, as by `ranks`
        agrees((images, texts, np.arange(50), np.arange(80) % 50))


@pytest.mark.parametrize(
    "scales", [(1e-200, 1e200), (1e100, 1e-100), (1e-50, 1e20), (1e30, 1e-44), (1e-310, 1.0), (3e37, 1e-30)]
)
def test_long_and_short_embeddings(scales: tuple[float, float]) -> None:
    """Their scores would fit into float32, and one of them does not, or only without its digits."""
    rng = np.random.default_rng(3)
    images, texts = rng.normal(size=(50, 9)) * scales[0], rng.normal(size=(80, 9)) * scales[1]
    with np.errstate(over="ignore"):
        agrees((images, texts, np.arange(50), np.arange(80) % 50))


def test_of_nothing_there_are_no_ranks() -> None:
    agrees((np.empty((0, 3)), np.empty((0, 3)), ints(), ints()))


def test_what_is_refused_is_named_as_by_ranks() -> None:
    eye = np.eye(6)
    broken = eye.copy()
    broken[3, 3] = np.nan
    for sides in ((broken, eye), (eye, broken)):
        with pytest.raises(ValueError, match="embeddings hold values that are not finite"):
            ranks_both_ways(*sides, np.arange(6), np.arange(6))
    for concepts in ((ints(0, 1, 2, 3, 4, 42), np.arange(6)), (np.arange(6), ints(0, 1, 2, 3, 4, 42))):
        with pytest.raises(ValueError, match=r"query 5 \(concept (42|5)\) has no matching candidate"):
            ranks_both_ways(eye, eye, *concepts)


def test_only_what_is_close_is_scored_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of random embeddings hardly more than the positives, of which there are 5 an image, whatever the number of others."""
    scored: list[int] = []
    exact = both_ways._exact

    def counted(*given: Any) -> Any:
        scored.append(len(given[2]))
        return exact(*given)

    monkeypatch.setattr(both_ways, "_exact", counted)
    rng = np.random.default_rng(2)
    images = unit(rng.normal(size=(1500, 64)))
    texts = unit(np.repeat(images, 5, axis=0) + 2.0 * rng.normal(size=(7500, 64)))
    agrees((images, texts, np.arange(1500), np.repeat(np.arange(1500), 5)))
    assert 7500 < sum(scored) < 8 * 7500
