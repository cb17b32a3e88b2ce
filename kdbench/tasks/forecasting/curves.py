"""Curves of a forecast: its error against time, and the radial spectrum of its last frame."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kdbench.reports.palette import BLACK, COLOURS, GREY
from kdbench.reports.plots.labels import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Fields = NDArray[np.float64]  # [horizon, C, H, W]
FAINTEST = 1e-8  # power that is still shown, of the highest
SIZE, DPI, SHADES = (7.6, 2.8), 110, 64  # inches, pixels an inch, colours


def curves(truth: Fields, last: Fields, forecasts: Mapping[str, Fields]) -> bytes:
    """A picture of both, as PNG. `last` is the last frame that was given, [C, H, W]: forecasting that all stays as it is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    errors, spectra = figure.subplots(1, 2)
    steps = np.arange(1, len(truth) + 1)
    spectrum = spectrum_of(truth[-1])
    numbers = np.arange(1, len(spectrum))
    spectra.plot(numbers, spectrum[1:], color=BLACK, linewidth=2.2, label="truth")
    errors.plot(
        steps, error_by_frame(np.broadcast_to(last, truth.shape), truth), color=GREY, linestyle=":", label="persistence"
    )
    for place, (name, forecast) in enumerate(forecasts.items()):
        look = {
            "color": COLOURS[place % len(COLOURS)],
            "linestyle": ("-", "--")[place // len(COLOURS) % 2],
            "label": clean(name),
        }
        errors.plot(steps, error_by_frame(forecast, truth), **look)
        spectra.plot(numbers, spectrum_of(forecast[-1])[1:], **look)
    errors.set(xlabel="frame", yscale="log", title="Mean squared error")
    spectra.set(xlabel="wavenumber", xscale="log", yscale="log", title="Power of the last frame")
    # A solver leaves the highest wavenumbers out: what rounding has put there would stretch the axis.
    spectra.set_ylim(bottom=max(spectra.get_ylim()[0], FAINTEST * spectrum.max()))
    for axes in (errors, spectra):
        axes.grid(alpha=0.3, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(9)
        for text in axes.legend(frameon=False, fontsize=7).get_texts():
            text.set_parse_math(False)
    return _saved(figure)


def _saved(figure: Figure) -> bytes:
    """The figure as PNG with few colours, which makes it a quarter as large."""
    from PIL import Image

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
