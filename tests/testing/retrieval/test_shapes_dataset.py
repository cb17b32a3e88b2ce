"""The kit's own dataset: real pictures of what the captions say."""

from __future__ import annotations

import numpy as np

from kdbench.testing import Shapes, check_dataset
from kdbench.testing.retrieval.shapes_dataset import COLOURS, CONCEPTS, GROUNDS, SPLITS


def test_it_holds_every_property_of_a_dataset() -> None:
    check_dataset(Shapes)


def test_counts() -> None:
    assert len(CONCEPTS) == 48
    for name, concepts in (("train", 24), ("validation", 12), ("test", 12)):
        split = Shapes().split(name)  # type: ignore[arg-type]
        assert len(np.unique(split.image_concepts)) == concepts
        assert len(split.images) == len(split.captions) == 2 * concepts


def test_every_word_of_a_caption_is_seen_in_training() -> None:
    words = {word for caption in Shapes().split("train").captions for word in caption.replace(",", "").split()}
    for name in SPLITS:
        for caption in Shapes().split(name).captions:
            assert set(caption.replace(",", "").split()) <= words


def test_pictures_show_what_captions_say() -> None:
    for name in SPLITS:
        split = Shapes().split(name)
        for place, (image, caption) in enumerate(zip(split.images, split.captions, strict=True)):
            colour, _, ground = CONCEPTS[split.image_concepts[place]]
            assert colour in caption
            assert ground in caption
            assert np.abs(image[0, 0].astype(int) - GROUNDS[ground]).max() <= 15
            drawn = (np.abs(image.astype(int) - COLOURS[colour]).max(axis=2) <= 15).mean()
            assert 0.05 < drawn < 0.6


def test_pictures_of_a_concept_differ_and_those_of_two_concepts_more_so() -> None:
    images = Shapes().split("train").images
    assert not np.array_equal(images[0], images[1])
    assert len({np.asarray(image).tobytes() for image in images}) == len(images)
