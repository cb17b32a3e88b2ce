"""One augmented view: a pure function of image, number and settings, that does what its settings say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.data.view import ASPECT, ERASED, Drawn, View
from kdbench.suite.settings import Views

SIZE = 32
WHOLE = (0.0, 0.0, 1.0, 1.0)
PLAIN: dict[str, Any] = {"crop": [1.0, 1.0], "flip": 0.0}


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


shares = st.floats(0, 1)
settings = st.builds(
    lambda low, high, **more: Views(crop=[min(low, high), max(low, high)], **more),
    low=st.floats(0.01, 1),
    high=st.floats(0.01, 1),
    flip=shares,
    color=shares,
    erase=shares,
)


@given(settings, st.integers(0, 2**40), st.integers(0, 1000), st.integers(1, 9))
def test_a_view_is_a_pure_function_within_its_settings(views: Views, image: int, view: int, count: int) -> None:
    found = Drawn(views, "digest")(image, view)
    same = views.model_copy(update={"count": count, "teachers": "clean"})  # more views leave those there are alone
    assert Drawn(same, "digest")(image, view) == found
    left, top, width, height = found.crop
    assert 0 <= left <= left + width <= 1 + 1e-9
    assert 0 <= top <= top + height <= 1 + 1e-9
    assert views.crop[0] - 1e-9 <= width * height <= views.crop[1] + 1e-9
    assert ASPECT[0] - 1e-9 <= width / height <= ASPECT[1] + 1e-9
    assert (found.colors is None) == (views.color == 0)
    for factor in found.colors or ():
        assert 1 - views.color <= factor <= 1 + views.color
    if found.erased is not None:
        assert found.erased[2] * found.erased[3] <= ERASED[1] + 1e-9
    assert found.of(picture()).shape == (SIZE, SIZE, 3)


def test_other_images_views_settings_and_datasets_are_drawn_anew() -> None:
    drawn = Drawn(Views(), "digest")
    others = [drawn(0, 0), drawn(1, 0), drawn(0, 1), Drawn(Views(), "other")(0, 0), Drawn(Views(color=0.1), "digest")(0, 0)]
    assert len({other.crop for other in others}) == len(others)


def test_probabilities_are_those_of_the_settings() -> None:
    drawn = Drawn(Views(flip=0.3, erase=0.2), "digest")
    found = [drawn(image, view) for image in range(400) for view in range(5)]
    assert np.mean([view.flip for view in found]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([view.erased is not None for view in found]) == pytest.approx(0.2, abs=0.04)


def test_what_leaves_a_picture_as_it_is_and_what_mirrors_it() -> None:
    assert np.array_equal(View(WHOLE, False, None, None).of(picture()), picture())
    assert np.array_equal(View(WHOLE, True, None, None).of(picture()), picture()[:, ::-1])
    assert np.array_equal(View(WHOLE, False, (1.0, 1.0, 1.0), None).of(picture()), picture())
    assert np.array_equal(Drawn(Views(**PLAIN), "digest")(3, 4).of(picture()), picture())


def test_a_crop_is_resized_as_pillow_does() -> None:
    from PIL import Image

    found = View((0.25, 0.125, 0.5, 0.75), False, None, None).of(picture()).astype(int)
    part = Image.fromarray(picture()).crop((8, 4, 24, 28)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    assert np.abs(found - np.asarray(part).astype(int)).max() <= 1  # rounding


def test_an_erased_rectangle_has_the_mean_of_the_view() -> None:
    found = View(WHOLE, False, None, (0.25, 0.5, 0.25, 0.25)).of(picture())
    assert np.array_equal(found[16:24, 8:16], np.broadcast_to(picture().mean(axis=(0, 1)).astype(np.uint8), (8, 8, 3)))
    found[16:24, 8:16] = picture()[16:24, 8:16]
    assert np.array_equal(found, picture())


def test_colors_change_within_their_factors() -> None:
    grey = np.full((SIZE, SIZE, 3), 100, dtype=np.uint8)
    assert (View(WHOLE, False, (1.2, 1.0, 1.0), None).of(grey) == 120).all()


@pytest.mark.parametrize("crop", [[0.0, 1.0], [0.8, 0.5]])
def test_areas_are_in_ascending_order(crop: list[float]) -> None:
    with pytest.raises(ValueError, match="two areas in ascending order, the first above 0"):
        Views(crop=crop)
