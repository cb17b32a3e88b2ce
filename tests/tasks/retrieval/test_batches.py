"""Which pairs make up which batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.storage import memory_map as rows
from kdbench.tasks.retrieval.batches import Batches, Ints
from tests.support.toys import ints


@st.composite
def collections(draw: st.DrawFn) -> tuple[Ints, Ints]:
    """Concepts of images and of captions, each image with one caption at least, in any order."""
    images = draw(st.lists(st.integers(0, 6), min_size=1, max_size=20))
    further = draw(st.lists(st.integers(0, 9), max_size=20))
    captions = draw(st.permutations(sorted(set(images)) + further))
    return ints(*images), ints(*captions)


@given(collections(), st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_shows_each_image_at_most_once_with_a_caption_of_its_concept(
    data: tuple[Ints, Ints], size: int, seed: int
) -> None:
    images, captions = data
    batches = Batches(images, captions, size, seed)
    for epoch in range(3):
        shown = []
        for place in range(batches.per_epoch):
            chosen, drawn = batches(epoch * batches.per_epoch + place)
            assert len(chosen) == len(drawn) == batches.batch_size == min(size, len(images))
            np.testing.assert_array_equal(images[chosen], captions[drawn])
            shown += chosen.tolist()
        assert len(shown) == len(set(shown)) > len(images) - batches.batch_size


def test_captions_are_drawn_by_their_weights() -> None:
    """Never one without weight; the others each as often as its share of its concept, within four standard deviations."""
    images, captions = ints(*[4, 1, 1, 3, 2]), ints(*[1, 4, 3, 2, 1, 9, 4, 2, 4, 1, 3])  # the caption of 9 has no image
    weights = np.array([0.0, 1.0, 0.25, 0.0, 3.0, 5.0, 0.0, 1e-3, 2.0, 1.0, 0.75])
    batches, epochs = Batches(images, captions, len(images), 0, weights), 2_000
    seen = np.concatenate([np.stack(batches(step)) for step in range(epochs)], axis=1)
    np.testing.assert_array_equal(captions[seen[1]], images[seen[0]])
    counts = np.bincount(seen[1], minlength=len(captions))
    for caption, concept in enumerate(captions):
        tries = epochs * int((images == concept).sum())
        share = weights[caption] / weights[captions == concept].sum()
        assert abs(counts[caption] - tries * share) <= 4 * (tries * share * (1 - share)) ** 0.5
    assert counts[5] == counts[3] == counts[0] == 0


def test_captions_of_equal_weight_are_drawn_as_without_weights() -> None:
    images, captions = np.arange(40), np.repeat(np.arange(40), 4)
    plain, weighed = (Batches(images, captions, 40, 0, weights) for weights in ((), np.ones(160)))
    for step in range(20):
        np.testing.assert_array_equal(plain(step), weighed(step))


@given(collections(), st.integers(1, 8), st.permutations(range(12)))
def test_a_batch_is_a_function_of_seed_and_step(data: tuple[Ints, Ints], size: int, order: list[int]) -> None:
    walked = Batches(*data, size, seed=5)
    jumped = Batches(*data, size, seed=5)
    straight = [tuple(part.tolist() for part in walked(step)) for step in range(12)]
    assert {step: tuple(part.tolist() for part in jumped(step)) for step in order} == dict(enumerate(straight))


def test_nothing_else_that_draws_changes_a_batch() -> None:
    batches = [Batches(np.arange(50), np.repeat(np.arange(50), 3), 8, seed=1) for _ in range(2)]
    np.random.seed(0)
    before = batches[0](7)
    np.random.seed(99)
    np.random.rand(10)
    after = batches[1](7)
    np.testing.assert_array_equal(before, after)


def test_seeds_and_epochs_shuffle_anew() -> None:
    def epoch(seed: int, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        images, captions = Batches(np.arange(40), np.repeat(np.arange(40), 3), 40, seed)(number)
        order = np.argsort(images)
        return tuple(images.tolist()), tuple(captions[order].tolist())

    drawn = [epoch(seed, number) for seed in range(3) for number in range(3)]
    assert len({images for images, _ in drawn}) == 9
    assert len({captions for _, captions in drawn}) == 9


def test_every_caption_and_every_image_gets_its_turn_and_none_twice_as_often() -> None:
    batches = Batches(np.arange(10), np.repeat(np.arange(10), 4), 4, seed=0)  # two images are left out each epoch
    seen_images, seen_captions = np.zeros(10), np.zeros(40)
    for step in range(1000 * batches.per_epoch):
        images, captions = batches(step)
        seen_images[images] += 1
        seen_captions[captions] += 1
    assert seen_images.min() > 0.9 * seen_images.mean()
    assert seen_images.max() < 1.1 * seen_images.mean()
    assert seen_captions.min() > 0.75 * seen_captions.mean()
    assert seen_captions.max() < 1.25 * seen_captions.mean()


def test_views_are_counted_on_from_one_that_the_seed_draws() -> None:
    concepts, count = np.arange(60), 4
    firsts = []
    for seed in (0, 1):
        batches = Batches(concepts, concepts, 20, seed)
        first: dict[int, int] = {}
        for step in range(3 * batches.per_epoch):
            for image, view in zip(batches(step)[0].tolist(), batches.views(step, count).tolist(), strict=True):
                assert view == (first.setdefault(image, view) + step // batches.per_epoch) % count
        firsts.append([first[image] for image in range(60)])
        assert set(firsts[-1]) == set(range(count))
    assert firsts[0] != firsts[1]


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    batches = Batches(ints(4, 5, 6), ints(6, 5, 4), 256, seed=0)
    assert (batches.per_epoch, batches.batch_size) == (1, 3)
    for epoch in range(3):
        images, captions = batches(epoch)
        assert sorted(images.tolist()) == [0, 1, 2]
        np.testing.assert_array_equal(captions, 2 - images)


def test_an_image_without_a_caption_is_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"training image 2 \(concept 9\) has no caption"):
        Batches(ints(1, 2, 9), ints(1, 2, 3), 2, seed=0)


def plainly(images: Ints, captions: Ints, size: int, seed: int, step: int) -> tuple[list[int], list[int]]:
    """The batches of records: every array of an epoch at once, in 64 bits."""
    size = min(size, len(images))
    epoch, place = divmod(step, len(images) // size)
    by_concept = np.argsort(captions, kind="stable")
    first = np.searchsorted(captions[by_concept], images, side="left")
    count = np.searchsorted(captions[by_concept], images, side="right") - first
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(images))
    drawn = by_concept[first + (rng.random(len(count)) * count).astype(np.int64)]
    chosen = order[place * size : (place + 1) * size]
    return chosen.tolist(), drawn[chosen].tolist()


@given(collections(), st.integers(1, 8), st.integers(0, 3), st.integers(1, 25), st.booleans())
def test_batches_are_those_of_records(data: tuple[Ints, Ints], size: int, seed: int, block: int, ordered: bool) -> None:
    images, captions = data
    captions = np.sort(captions) if ordered else captions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        batches = Batches(images, captions, size, seed)
        for step in range(7):
            assert tuple(part.tolist() for part in batches(step)) == plainly(images, captions, size, seed, step)


def test_large_batches_are_those_of_records_too() -> None:
    """Where the generator draws in other ways for other sizes, it would show."""
    rng = np.random.default_rng(0)
    images, captions = rng.integers(0, 5000, 70_000), np.concatenate([np.arange(5000), rng.integers(0, 5000, 90_000)])
    for heard in (captions, np.sort(captions)):
        batches = Batches(images, heard, 1000, seed=3)
        for step in (0, 69, 70, 200):
            found = batches(step)
            assert {part.dtype for part in found} == {np.dtype(np.int64)}
            assert tuple(part.tolist() for part in found) == plainly(images, heard, 1000, 3, step)
