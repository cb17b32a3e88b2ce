"""Colours of fields."""

from __future__ import annotations

import numpy as np

from kdbench.tasks.forecasting.colours import LMS_TO_RGB, OKLAB_TO_LMS, STEPS, palette, places


def oklab(colours: np.ndarray) -> np.ndarray:
    """OKLab of sRGB colours, by the inverse of every step."""
    values = colours / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(light @ np.linalg.inv(LMS_TO_RGB).T)
    lab: np.ndarray = lms @ np.linalg.inv(OKLAB_TO_LMS).T
    return lab


def test_equal_steps_are_equally_far_apart() -> None:
    lab = oklab(palette().astype(float))[:: STEPS // 15]
    for side in (lab[: len(lab) // 2], lab[len(lab) // 2 + 1 :]):
        steps = np.linalg.norm(np.diff(side, axis=0), axis=1)
        assert steps.max() < 1.15 * steps.min()


def test_both_signs_are_equally_dark_and_zero_is_bright() -> None:
    lightness = oklab(palette().astype(float))[:, 0]
    np.testing.assert_allclose(lightness, lightness[::-1], atol=0.01)
    assert (np.diff(lightness[: STEPS + 1]) > -0.002).all()
    assert lightness[STEPS] > 0.96
    low, high = palette()[[0, -1]].astype(int)
    assert low[2] > 1.5 * low[0], "blue"
    assert high[0] > 1.5 * high[2], "red"


def test_values_are_placed_on_a_scale() -> None:
    values = np.array([-3.0, -2.0, -1.0, 0.0, 2.0, 9.0, np.nan])
    assert places(values, 2.0).tolist() == [0, 0, 64, 127, 254, 254, 127]
    assert places(np.zeros(2), 0.0).tolist() == [127, 127]
