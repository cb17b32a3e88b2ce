"""Checks the stored errors of forecasts: their shapes, their signs, and that they agree with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.tasks.forecasting.metrics import BANDS, BY_FRAME, SUFFIX
from kdbench.tasks.forecasting.units import SAMPLES

Problem = tuple[str, str, str]  # what, found, expected
ROUNDING = 1e-9  # relative


def problems(
    arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int], metrics: Sequence[Metric], rollout: int
) -> Iterator[Problem]:
    """Yields problems of arrays of n samples: [n] for each metric, and [n, frames] by frame."""
    samples, frames = sizes.get("samples", 0), sizes.get("frames", 0)
    shapes: dict[str, list[int]] = {metric.name: [samples] for metric in metrics}
    shapes |= {f"{name}{SUFFIX}": [samples, frames] for name in BY_FRAME}
    shapes |= {f"rollout_mse{SUFFIX}": [samples, rollout]} if rollout else {}
    wrong = list(_shapes(arrays, shapes))
    yield from wrong
    if wrong:
        return
    for name, values in arrays.items():
        if not name.startswith("ssim") and values.min() < 0:
            yield f"array {name}", f"{values.min():.6g}", "errors that are not negative"
        elif name.startswith("ssim") and np.abs(values).max() > 1 + ROUNDING:
            yield f"array {name}", f"{values.min():.6g} to {values.max():.6g}", "values from -1 to 1"
    means = [(name, arrays[f"{name}{SUFFIX}"].mean(axis=1), "the mean of its frames") for name in ("mse", "mae", "ssim")]
    means += [("mse", sum(arrays[f"mse_{band}"] for band in BANDS), "the sum of its bands")]
    means += [("rollout_mse", arrays[f"rollout_mse{SUFFIX}"].mean(axis=1), "the mean of its frames")] if rollout else []
    for name, expected, what in means:
        gaps = np.abs(arrays[name] - expected) > ROUNDING * np.maximum(np.abs(expected), 1e-12)
        if gaps.any():
            place = int(gaps.argmax())
            yield f"array {name}, sample {place}", f"{arrays[name][place]:.9g}", f"{expected[place]:.9g}, {what}"


def _shapes(arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, list[int]]) -> Iterator[Problem]:
    for name in sorted(set(arrays) - set(shapes)):
        yield f"array {name}", "an array that nothing reads", f"one of {', '.join(sorted(shapes))}"
    for name, shape in shapes.items():
        found = arrays.get(name)
        if found is None or list(found.shape) != shape or found.dtype.kind != "f":
            seen = "nothing" if found is None else f"{found.dtype} of shape {list(found.shape)}"
            yield f"array {name}", seen, f"floating-point numbers of shape {shape}, by the record's sizes"


def unit_problems(units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[Problem]:
    """Yields problems of the trajectory of each sample, which is stored if a trajectory has several."""
    for name in sorted(set(units) - {SAMPLES}):
        yield f"units {name}", "units that nothing reads", SAMPLES
    found = units.get(SAMPLES)
    if found is None:
        return
    numbers = (("samples", len(found)), ("trajectories", len(np.unique(found))))
    for what, number in numbers:
        if number != sizes.get(what):
            yield f"units {SAMPLES}", f"{number}", f"{sizes.get(what)}, the {what} by the record's sizes"
            return


def record_problems(sizes: Mapping[str, int]) -> Iterator[Problem]:
    """Yields problems of the sizes of a test split."""
    if not sizes:
        return
    names = {"trajectories", "samples", "frames", "points"}
    if set(sizes) != names or min(sizes.values()) < 1 or not 2 <= sizes["trajectories"] <= sizes["samples"]:
        expected = "trajectories (2 or more), samples (as many or more), frames and points"
        yield "sizes of the test split", repr(dict(sizes)), expected
