"""The smallest dataset of fields: plane waves that travel over a small grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import SplitName
from kdbench.tasks.forecasting.fields import FieldSplit

TRAJECTORIES = {"train": 24, "validation": 8, "test": 8}
SEEDS = {"train": 1, "validation": 2, "test": 3}


class Waves:
    """Sums of three waves of random direction, speed and phase, on a torus; `beyond` frames follow the horizon."""

    licence = "CC0"

    def __init__(
        self,
        *,
        history: int = 2,
        horizon: int = 3,
        channels: int = 1,
        grid: tuple[int, int] = (16, 16),
        beyond: int = 0,
        windows: int = 1,
    ) -> None:
        self.history, self.horizon, self.channels, self.grid = history, horizon, channels, grid
        self.beyond, self.windows = beyond, windows
        self.fingerprint = f"kdbench.testing waves 1 {history} {horizon} {channels} {grid} {beyond} {windows}"

    def split(self, name: SplitName) -> FieldSplit:
        """`windows` samples of each trajectory, each a frame after the one before. Raises KeyError for an unknown split."""
        count, frames = TRAJECTORIES[name], self.history + self.horizon + self.beyond
        rng = np.random.default_rng(SEEDS[name])
        made = np.stack([self._trajectory(rng, frames + self.windows - 1) for _ in range(count)])
        samples = [trajectory[first : first + frames] for trajectory in made for first in range(self.windows)]
        ids = [f"{name} {trajectory}" for trajectory in range(count) for _ in range(self.windows)]
        return FieldSplit(np.stack(samples), ids)

    def _trajectory(self, rng: np.random.Generator, frames: int) -> NDArray[np.float32]:
        down, across = (2 * np.pi * np.arange(side) / side for side in self.grid)
        time = np.arange(frames)[:, None, None, None]
        found = np.zeros((frames, self.channels, *self.grid))
        for _ in range(3):
            rows, columns = rng.integers(-3, 4, size=2)
            speed, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 2 * np.pi, size=(self.channels, 1, 1))
            found += np.sin(rows * down[:, None] + columns * across[None, :] - speed * time + phase)
        return found.astype(np.float32)
