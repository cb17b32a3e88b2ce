"""Colours of fields: equal steps of a value are equal steps to the eye, and 0 is nearly white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Lightness and the two opponent axes of OKLab (Ottosson 2020), in which distances are those that people see.
LOW, ZERO, HIGH = (0.38, -0.02, -0.17), (0.97, 0.0, 0.0), (0.38, 0.14, 0.07)
OKLAB_TO_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
STEPS = 127  # on either side of 0


def palette() -> NDArray[np.uint8]:
    """sRGB colours [2 · STEPS + 1, 3] from the lowest value, blue, by 0 in the middle to the highest, red."""
    share = np.arange(1, STEPS + 1)[:, None] / STEPS
    low, zero, high = (np.array(colour)[None] for colour in (LOW, ZERO, HIGH))
    lab = np.concatenate([(zero + share * (low - zero))[::-1], zero, zero + share * (high - zero)])
    light = (lab @ OKLAB_TO_LMS.T) ** 3 @ LMS_TO_RGB.T
    light = light.clip(0, 1)
    values = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    colours: NDArray[np.uint8] = np.round(255 * values).astype(np.uint8)
    return colours


def places(values: NDArray[np.floating], largest: float) -> NDArray[np.uint8]:
    """The colour of each value, as a place in `palette`, on a scale from -`largest` to `largest`; what lies beyond is cut."""
    shares = np.nan_to_num(np.asarray(values, np.float64) / (largest or 1.0), nan=0.0).clip(-1, 1)
    found: NDArray[np.uint8] = np.round(STEPS * (1 + shares)).astype(np.uint8)
    return found
