"""Curves of a forecast."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kdbench.tasks.forecasting.curves import error_by_frame, error_curves, spectrum_curves, spectrum_of


def test_errors_are_means_of_frames() -> None:
    truth = np.zeros((3, 2, 4, 4))
    forecast = truth + np.array([1.0, 2.0, 3.0])[:, None, None, None]
    assert error_by_frame(forecast, truth).tolist() == [1.0, 4.0, 9.0]


def test_the_spectrum_of_a_wave_is_at_its_wavenumber() -> None:
    wave = np.sin(3 * 2 * np.pi * np.arange(16) / 16)[None, None, :].repeat(16, axis=1)
    spectrum = spectrum_of(wave)
    assert len(spectrum) == 9
    np.testing.assert_allclose(spectrum, [0.5 if number == 3 else 0 for number in range(9)], atol=1e-12)


def test_a_picture_is_drawn_of_any_names() -> None:
    rng = np.random.default_rng(0)
    truth, last = rng.normal(size=(4, 1, 8, 8)), rng.normal(size=(1, 8, 8))
    names = ["student", "$\\frac{1}{2", "_hidden", "\x1b[31mred"]
    forecasts = dict.fromkeys(names, truth + 0.1)
    for data in (error_curves(truth, last, forecasts), spectrum_curves(truth, forecasts)):
        image = Image.open(io.BytesIO(data))
        assert image.format == "PNG"
        assert image.height < image.width <= 900, "as wide as a telephone, at two pixels for one of the page"
