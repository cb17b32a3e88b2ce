"""Vorticity by plain numpy, one field at a time: complex transforms, and u·∇ω as it is written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class PlainVorticity:
    """The equations of `kdbench_plugins.datasets.vorticity`, written independently of it."""

    def __init__(self, grid: int, viscosity: float, force: Array) -> None:
        number = np.fft.fftfreq(grid, 1 / grid)
        kept = 3 * np.abs(number) < grid
        self.kept = kept[:, None] & kept[None, :]
        self.x, self.y = 2j * np.pi * number[:, None], 2j * np.pi * number[None, :]
        self.square = (-(self.x**2) - self.y**2).real
        self.viscosity, self.force = viscosity, np.fft.fft2(force) * self.kept

    def carried(self, spectrum: Array) -> Array:
        """The spectrum of f − u·∇ω."""
        stream = np.divide(spectrum, self.square, out=np.zeros_like(spectrum), where=self.square > 0)
        u, v = np.fft.ifft2(self.y * stream).real, np.fft.ifft2(-self.x * stream).real
        along, across = np.fft.ifft2(self.x * spectrum).real, np.fft.ifft2(self.y * spectrum).real
        found: Array = self.force - np.fft.fft2(u * along + v * across) * self.kept
        return found

    def rate(self, spectrum: Array) -> Array:
        """The spectrum of ∂ω/∂t."""
        return self.carried(spectrum) - self.viscosity * self.square * spectrum

    def advance(self, field: Array, step: float, steps: int) -> Array:
        """The field [n, n] after some steps of Heun and of Crank and Nicolson."""
        spectrum = np.fft.fft2(field) * self.kept
        half = step * self.viscosity / 2 * self.square
        for _ in range(steps):
            before = self.carried(spectrum)
            guess = ((1 - half) * spectrum + step * before) / (1 + half)
            after = self.carried(guess)
            spectrum = ((1 - half) * spectrum + step / 2 * (before + after)) / (1 + half)
        return np.fft.ifft2(spectrum).real
