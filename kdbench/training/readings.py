"""Numbers of steps that are read together: reading one makes the process wait until a GPU has computed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

SECONDS = 0.25  # between two readings from a GPU, which waits for each with nothing to do

Use = Callable[[Sequence[float]], None]


class Readings:
    """Reads values at most every `seconds`, measured by `clock`, in one transfer, and passes each on in the order of `add`.

    With 0, the default, every value is read at once.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds, self._clock = seconds, clock
        self._last = clock()
        self._waiting: list[tuple[Tensor, Use]] = []

    @classmethod
    def of(cls, device: str, ranks: int = 1) -> Self:
        """At once on a device that the process computes on itself, and in one of several ranks.

        Ranks that read at moments of their own would raise an error at different steps, and the others would wait for ever.
        """
        return cls(SECONDS if device.startswith("cuda") and ranks == 1 else 0.0)

    def add(self, values: Tensor, use: Use) -> None:
        """Passes the numbers of `values` [n] to `use` when they are read. Raises what `use` raises, also of earlier values."""
        self._waiting.append((values.detach(), use))
        if self._clock() - self._last >= self._seconds:
            self.read()

    def read(self) -> None:
        """Reads all values that have been added. Raises what `use` raises; values behind are then not read."""
        waiting, self._waiting = self._waiting, []
        self._last = self._clock()
        if not waiting:
            return
        numbers = torch.cat([values for values, _ in waiting]).tolist()
        for values, use in waiting:
            use(numbers[: len(values)])
            del numbers[: len(values)]


AT_ONCE = Readings()
