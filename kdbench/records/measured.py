"""A finished run as statistics and reports use it: its record, its task, and its stored files, read when needed."""

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

    `arrays()` reads the stored arrays (`Task.evaluate`) and raises RecordError if the file does not match its record.
    `trace()` is an empty `Trace` if the run has none.
    """

    record: Record
    task: Task
    arrays: Callable[[], dict[str, NDArray[Any]]]
    trace: Callable[[], Trace]

    @cached_property
    def protocol(self) -> Protocol:
        """Determines which other runs this one can be compared with."""
        return Protocol.of(self.record)

    @property
    def margin(self) -> float:
        """Of equivalence, in the headline's shown unit: the suite's, else the metric's own; 0 if none is stated."""
        return self.protocol.margin or self.task.headline.margin

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.record.spec.seed

    @property
    def which(self) -> str:
        """What tells it from other runs of its cell: its seed, and its fold if it has one."""
        return self.record.spec.which

    @property
    def fold(self) -> int:
        """The index of its fold; 0 without cross-validation."""
        return self.record.spec.fold.index if self.record.spec.fold else 0
