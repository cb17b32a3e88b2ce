"""Curves of a forecast: its error against time, and the radial spectrum of its last frame."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdbench.reports.palette import BLACK, COLOURS, GREY
from kdbench.reports.plots.labels import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Fields = NDArray[np.float64]  # [horizon, C, H, W]
FAINTEST = 1e-8  # power that is still shown, of the highest
SIZE, DPI, SHADES = (3.8, 2.8), 220, 64  # inches, pixels an inch, colours

Look = dict[str, Any]  # how a curve is drawn


def error_curves(truth: Fields, last: Fields, forecasts: Mapping[str, Fields]) -> bytes:
    """The mean squared error of each frame, as PNG. `last` is the last frame that was given, [C, H, W]: persistence
    forecasts that all stays as it is."""
    figure, axes = _empty("Mean squared error", xlabel="frame", yscale="log")
    steps = np.arange(1, len(truth) + 1)
    axes.plot(steps, error_by_frame(np.broadcast_to(last, truth.shape), truth), color=GREY, linestyle=":", label="persistence")
    for look, forecast in _looks(forecasts):
        axes.plot(steps, error_by_frame(forecast, truth), **look)
    return _saved(figure)


def spectrum_curves(truth: Fields, forecasts: Mapping[str, Fields]) -> bytes:
    """The radial spectrum of the last frame, as PNG."""
    figure, axes = _empty("Power of the last frame", xlabel="wavenumber", xscale="log", yscale="log")
    spectrum = spectrum_of(truth[-1])
    numbers = np.arange(1, len(spectrum))
    axes.plot(numbers, spectrum[1:], color=BLACK, linewidth=2.2, label="truth")
    for look, forecast in _looks(forecasts):
        axes.plot(numbers, spectrum_of(forecast[-1])[1:], **look)
    # A solver leaves the highest wavenumbers out: what rounding has put there would stretch the axis.
    axes.set_ylim(bottom=max(axes.get_ylim()[0], FAINTEST * spectrum.max()))
    return _saved(figure)


def _empty(title: str, **settings: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, **settings)
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _looks(forecasts: Mapping[str, Fields]) -> Iterator[tuple[Look, Fields]]:
    """The forecasts of models, each with its colour, line and name."""
    for place, (name, forecast) in enumerate(forecasts.items()):
        line = ("-", "--")[place // len(COLOURS) % 2]
        yield {"color": COLOURS[place % len(COLOURS)], "linestyle": line, "label": clean(name)}, forecast


def _saved(figure: Figure) -> bytes:
    """The figure with a legend, as PNG with few colours, which makes it a quarter as large."""
    from PIL import Image

    for text in figure.axes[0].legend(frameon=False, fontsize=7).get_texts():
        text.set_parse_math(False)
    drawn, few = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(SHADES).save(few, "PNG", optimize=True)
    return few.getvalue()


def error_by_frame(forecast: Fields, truth: Fields) -> NDArray[np.float64]:
    """The mean squared error of each frame."""
    found: NDArray[np.float64] = np.square(forecast - truth).mean(axis=(1, 2, 3))
    return found


def spectrum_of(frame: Fields) -> NDArray[np.float64]:
    """The power by wavenumber 0, 1, … of a frame [C, H, W], summed over its channels, up to the last that the grid resolves."""
    import torch

    from kdbench.tasks.forecasting.spectrum import nyquist, radial_spectrum

    height, width = frame.shape[-2:]
    found: NDArray[np.float64] = radial_spectrum(torch.from_numpy(np.array(frame, np.float64))).sum(dim=0).numpy()
    return found[: int(nyquist(height, width)) + 1]
