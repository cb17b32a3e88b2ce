"""Samples of trajectories: windows of their frames, read from files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_axes import Trajectories
from kdbench_plugins.datasets.frames import LazyFrames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BYTES = 1 << 28  # read at once: a file that keeps trajectories along its last axis is read whole each time


@dataclass(frozen=True)
class Place:
    """Where one trajectory lies: a part of the files, and its number there."""

    part: int
    number: int
    id: str


class Windows(LazyFrames):
    """Frames [n, length, C, H, W]: of each trajectory, a sample for each of `starts`, of every `every`-th frame."""

    def __init__(
        self, parts: Sequence[Trajectories], places: Sequence[Place], starts: Sequence[int], length: int, every: int
    ) -> None:
        shape = (len(places) * len(starts), length, *parts[0].shape[2:])
        super().__init__(shape, max(1, BYTES // (4 * math.prod(shape[1:]))))
        self.parts, self.places, self.starts, self.every = parts, places, starts, every

    def rows(self, places: NDArray[Any]) -> NDArray[np.float32]:
        import numpy as np

        found = np.empty((len(places), *self.shape[1:]), dtype=np.float32)
        asked = [(*divmod(place, len(self.starts)), row) for row, place in enumerate(places.tolist())]
        keyed = sorted((self.places[one].part, start, self.places[one].number, row) for one, start, row in asked)
        for (part, start), group in groupby(keyed, key=lambda one: one[:2]):
            rows = list(group)
            numbers = sorted({number for _, _, number, _ in rows})
            first = self.starts[start] * self.every
            times = slice(first, first + (self.shape[1] - 1) * self.every + 1, self.every)
            values = self.parts[part].read(numbers, times)
            self._refuse_infinite(values, part, numbers)
            found[[row for *_, row in rows]] = values[np.searchsorted(numbers, [number for _, _, number, _ in rows])]
        return found

    def _refuse_infinite(self, values: NDArray[np.float32], part: int, numbers: Sequence[int]) -> None:
        """Raises KdbenchError with the first trajectory that has a value that is not finite."""
        import numpy as np

        wrong = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if wrong.any():
            number, where = numbers[int(wrong.argmax())], self.parts[part].arrays[0].where
            raise KdbenchError(f"{where}: found a value that is not finite in trajectory {number}; expected numbers")
