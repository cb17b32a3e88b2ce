"""Pictures of fields."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from kdbench.tasks.forecasting.colours import palette
from kdbench.tasks.forecasting.strips import GAP, LAST, PAPER, PAUSE, animation, grid, png


def test_frames_stand_beside_and_rows_below_each_other() -> None:
    fields = np.stack([np.full((4, 6), value) for value in (-1.0, 0.0, 1.0)])
    pixels = grid([(fields, 1.0), (fields, 2.0)])
    assert pixels.shape == (4 + GAP + 4, 3 * 6 + 2 * GAP)
    assert pixels[0, [0, 6, 6 + GAP, -1]].tolist() == [0, PAPER, 127, 254]
    assert pixels[-1, [0, -1]].tolist() == [64, 190]
    assert (pixels[4 : 4 + GAP] == PAPER).all()


def test_a_picture_has_the_colours_of_its_values() -> None:
    pixels = grid([(np.linspace(-1, 1, 8).reshape(1, 2, 4), 1.0)])
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.format == "PNG"
    colours = np.concatenate([palette(), [[255, 255, 255]]])
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), colours[pixels])
    assert png(pixels) == png(pixels)


def test_an_animation_shows_all_frames_and_starts_again() -> None:
    frames = [grid([(np.full((1, 4, 4), value), 1.0)]) for value in (-1.0, 0.25, 1.0)]
    image: Any = Image.open(io.BytesIO(animation(frames)))
    assert (image.format, image.n_frames, image.info["loop"]) == ("PNG", 3, 0)
    colours = np.concatenate([palette(), [[255, 255, 255]]])
    durations = []
    for place, pixels in enumerate(frames):
        image.seek(place)
        durations.append(image.info["duration"])
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), colours[pixels])
    assert durations == [PAUSE, PAUSE, LAST]
