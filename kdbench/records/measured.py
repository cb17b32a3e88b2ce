"""A finished run as statistics and reports see it: its record, its task, and what it stored, read when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.records.protocol import Protocol
from kdbench.records.record import Record
from kdbench.records.trace import Trace


@dataclass(frozen=True)
class Measured:
    """A run whose status is `ok`.

    `arrays()` reads what was stored per test query (`Task.evaluate`) and raises RecordError if the file does not hold what
    its record says. `trace()` is an empty `Trace` if the run has none.
    """

    record: Record
    task: Task
    arrays: Callable[[], dict[str, NDArray[Any]]]
    trace: Callable[[], Trace]

    @cached_property
    def protocol(self) -> Protocol:
        """What decides which other runs this one compares with."""
        return Protocol.of(self.record)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.record.spec.seed
