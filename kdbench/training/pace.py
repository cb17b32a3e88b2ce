"""When a checkpoint is due: after some steps, or so rarely that writing them takes a hundredth of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.008  # of the time that is spent on checkpoints: below a hundredth also where the last one has not yet been waited for
FIRST = 10.0  # seconds until the first one, whose cost is not known


class Pace:
    """Checkpoints every `steps` steps; with None by elapsed time, measured by `clock` in seconds."""

    def __init__(self, steps: int | None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._steps, self._clock = steps, clock
        self._last, self._wait = clock(), FIRST

    def due(self, step: int) -> bool:
        """Whether one is to be written after step `step`, counted from 1."""
        if self._steps is not None:
            return step % self._steps == 0
        return self._clock() - self._last >= self._wait

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Measures what a checkpoint costs; the next one waits in proportion."""
        started = self._clock()
        yield
        self._last = self._clock()
        self._wait = (self._last - started) / SHARE
