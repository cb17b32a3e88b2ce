"""All views of a split as one sequence: rows in order, the same however they are read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.data.view import Drawn
from kdbench.data.viewed_images import ViewedImages
from kdbench.storage.placed_images import PLACE, PlacedImages
from kdbench.suite.settings import Views

COUNT, SIZE, DATASET = 7, 16, "0" * 64
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
SETTINGS = Views(count=3, color=0.4, erase=0.5)


def views(images: Any = IMAGES, threads: int = 1, settings: Views = SETTINGS) -> ViewedImages:
    return ViewedImages(images, settings, DATASET, threads)


def oracle() -> NDArray[np.uint8]:
    """Every view by itself, view by view, within a view image by image."""
    drawn = Drawn(SETTINGS, DATASET)
    return np.stack([drawn(image, view).of(IMAGES[image]) for view in range(3) for image in range(COUNT)])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_rows_do_not_depend_on_what_is_read_beside_them(threads: int) -> None:
    found, expected = views(threads=threads), oracle()
    assert len(found) == len(expected) == 3 * COUNT
    np.testing.assert_array_equal(found[:], expected)
    np.testing.assert_array_equal(found[5:16], expected[5:16])
    np.testing.assert_array_equal(found[COUNT], expected[COUNT])
    np.testing.assert_array_equal(found[-1], expected[-1])
    wanted = np.array([20, 3, 3, 11])
    np.testing.assert_array_equal(found.rows(wanted), expected[wanted])
    assert found[4:4].shape == (0, SIZE, SIZE, 3)
    with pytest.raises(IndexError, match="view 21 of 21"):
        found[21]


def test_streamed_images_have_the_same_views() -> None:
    places = np.array([(0, image, 1) for image in range(COUNT)], PLACE)
    placed = PlacedImages(lambda _file, offset, _length: IMAGES[offset], ["none"], places)
    np.testing.assert_array_equal(views(placed)[:], oracle())


def test_views_differ_from_each_other_and_from_the_image() -> None:
    rows = views()[:].reshape(3, COUNT, -1)
    for one, other in pairwise([IMAGES.reshape(COUNT, -1), *rows]):
        assert (one != other).any(axis=1).all()


@pytest.mark.parametrize(
    "changed",
    [
        views(settings=SETTINGS.model_copy(update={"count": 4})),
        views(settings=SETTINGS.model_copy(update={"crop": [0.4, 1.0]})),
        views(settings=SETTINGS.model_copy(update={"flip": 0.4})),
        views(settings=SETTINGS.model_copy(update={"color": 0.3})),
        views(settings=SETTINGS.model_copy(update={"erase": 0.4})),
        ViewedImages(IMAGES, SETTINGS, "1" * 64),
    ],
)
def test_the_identity_holds_all_that_makes_pixels(changed: ViewedImages) -> None:
    assert changed.identity != views().identity
    assert views(threads=4).identity == views().identity
    clean = SETTINGS.model_copy(update={"teachers": "clean"})
    assert views(settings=clean).identity == views().identity
