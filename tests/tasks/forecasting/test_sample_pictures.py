"""The pictures of one sample."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kdbench.tasks.forecasting.colours import palette
from kdbench.tasks.forecasting.sample_pictures import FRAMES, SamplePictures, pixels_of
from kdbench.tasks.forecasting.strips import GAP

RNG = np.random.default_rng(0)
OBSERVED, TRUTH = RNG.normal(size=(3, 1, 8, 8)), RNG.normal(size=(10, 1, 8, 8))


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def test_each_model_stands_below_the_truth_with_one_scale_for_all() -> None:
    forecasts = {"student": TRUTH + 0.5, "teacher": TRUTH - 0.25}
    truth, student, teacher, film, errors, spectra = SamplePictures(OBSERVED, TRUTH, forecasts).all()
    width = FRAMES * 8 + (FRAMES - 1) * GAP
    assert size(truth.png) == (width, 8)
    assert size(student.png) == size(teacher.png) == (width, 8 + GAP + 8)
    most = np.abs(TRUTH).max()
    assert truth.caption == f"Truth: frames 1, 3, 5, 8, 10; blue −{most:.3g}, white 0, red {most:.3g}"
    assert student.caption == "student: forecast, and below it the error; blue −0.5, white 0, red 0.5"
    assert teacher.caption == "teacher: forecast, and below it the error; blue −0.5, white 0, red 0.5"
    assert [picture.moves for picture in (film, errors, spectra)] == [True, False, False]
    assert errors.drawn
    assert spectra.drawn
    moving = Image.open(io.BytesIO(film.png))
    assert moving.size == (3 * 8 + 2 * GAP, 8 + GAP + 8)
    assert moving.n_frames == len(OBSERVED) + len(TRUTH)  # type: ignore[attr-defined]
    assert (
        film.caption
        == "Animation of 3 given frames, then 10 forecast ones; from left to right truth, student, teacher; errors below"
    )


def test_without_models_there_is_the_truth() -> None:
    truth, errors, spectra = SamplePictures(OBSERVED, TRUTH, {}).all()
    assert size(truth.png)[1] == 8
    assert errors.drawn
    assert spectra.drawn


def test_fields_of_one_sign_are_white_in_their_middle() -> None:
    warm = SamplePictures(OBSERVED + 290, np.linspace(280, 300, 64).reshape(1, 1, 8, 8), {})
    assert warm.strip().caption == "Truth: frames 1; blue 280, white 290, red 300"


def test_of_several_channels_the_first_is_shown() -> None:
    fields = RNG.normal(size=(2, 3, 8, 8))
    assert " of channel 1 of 3;" in SamplePictures(fields, fields, {}).strip().caption


def test_a_frame_is_enlarged_by_whole_pixels() -> None:
    frame = np.zeros((2, 4, 8))
    frame[0, 0, 0], frame[0, 3, 7] = -2, 1
    pixels = pixels_of(frame, 30)
    assert pixels.shape == (16, 32, 3)
    assert (pixels[:4, :4] == palette()[0]).all()
    assert (pixels[4:, 4:8] == palette()[127]).all()
    assert pixels_of(frame, 2).shape == (4, 8, 3)
