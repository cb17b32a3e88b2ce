"""The pictures of one sample: truth, forecasts and errors beside each other, as an animation, and as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts.shown import Picture
from kdbench.tasks.forecasting.colours import palette
from kdbench.tasks.forecasting.curves import error_curves, spectrum_curves
from kdbench.tasks.forecasting.strips import Pixels, animation, grid, png

FRAMES = 5  # of a horizon that stand beside each other
Fields = NDArray[np.float64]  # [frames, C, H, W]


def pixels_of(frame: Fields, side: int) -> NDArray[np.uint8]:
    """The first channel of a frame [C, H, W] as RGB pixels [h, w, 3], enlarged by a whole number to about `side` pixels."""
    fields = frame[:1]
    times = max(1, round(side / max(fields.shape[1:])))
    colours: NDArray[np.uint8] = palette()[grid([(fields, float(np.abs(fields).max()))])]
    return colours.repeat(times, axis=0).repeat(times, axis=1)


class SamplePictures:
    """`observed` frames, those to be forecast as they were (`truth`), and the `forecasts` of models by name.

    Of several channels the first is shown; curves are of all. All fields have one scale of colours, and all errors another.
    """

    def __init__(self, observed: Fields, truth: Fields, forecasts: Mapping[str, Fields]) -> None:
        self.observed, self.truth, self.forecasts = observed, truth, forecasts
        low, high = float(truth[:, 0].min()), float(truth[:, 0].max())
        self.white = 0.0 if low < 0 < high else (low + high) / 2  # of fields with both signs, 0
        self.most = max(high - self.white, self.white - low)
        self.worst = max((float(np.abs(forecast - truth)[:, 0].max()) for forecast in forecasts.values()), default=0.0)

    def all(self) -> list[Picture]:
        """A strip of the truth and of each model, the animation if there are models, and the curves."""
        models = [self.model(name) for name in self.forecasts]
        errors = error_curves(self.truth, self.observed[-1], self.forecasts)
        spectra = spectrum_curves(self.truth, self.forecasts)
        drawn = [Picture("Error against time", errors, drawn=True), Picture("Spectrum of the last frame", spectra, drawn=True)]
        return [self.strip(), *models, *([self.film()] if models else []), *drawn]

    def strip(self) -> Picture:
        """Some frames of the truth."""
        channel = f" of channel 1 of {self.truth.shape[1]}" if self.truth.shape[1] > 1 else ""
        frames = ", ".join(str(step + 1) for step in self._chosen)
        colours = _scale(self.white, self.most)
        return Picture(f"Truth: frames {frames}{channel}; {colours}", png(self._grid(self._chosen, self.truth)))

    def model(self, name: str) -> Picture:
        """The same frames of a forecast, and the errors below them."""
        caption = f"{name}: forecast, and below it the error; {_scale(0, self.worst)}"
        return Picture(caption, png(self._grid(self._chosen, self.forecasts[name], self.truth)))

    def film(self) -> Picture:
        """All frames, the observed ones first: truth and forecasts from left to right, errors below."""
        whole = np.concatenate([self.observed, self.truth])
        films = [whole, *(np.concatenate([self.observed, forecast]) for forecast in self.forecasts.values())]
        stages = [
            self._grid(range(len(films)), np.stack([film[step] for film in films]), np.stack([whole[step]] * len(films)))
            for step in range(len(whole))
        ]
        order = ", ".join(["truth", *self.forecasts])
        given = f"{len(self.observed)} given frames, then {len(self.truth)} forecast ones"
        return Picture(f"Animation of {given}; from left to right {order}; errors below", animation(stages), moves=True)

    @cached_property
    def _chosen(self) -> Sequence[int]:
        horizon = len(self.truth)
        found: list[int] = np.unique(np.linspace(0, horizon - 1, min(FRAMES, horizon)).round().astype(int)).tolist()
        return found

    def _grid(self, chosen: Sequence[int], fields: Fields, truth: Fields | None = None) -> Pixels:
        """The chosen fields beside each other and, if a truth is given, their errors below them."""
        places = list(chosen)
        rows = [(fields[places, 0] - self.white, self.most)]
        if truth is not None:
            rows.append((fields[places, 0] - truth[places, 0], self.worst))
        return grid(rows)


def _scale(white: float, most: float) -> str:
    """What the colours mean."""
    low, middle, high = (f"{value:.3g}".replace("-", "−") for value in (white - most, white, white + most))
    return f"blue {low}, white {middle}, red {high}"
