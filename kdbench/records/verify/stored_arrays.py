"""Recomputes a record's metrics from the arrays that its run stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.errors import RecordError
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.stored import stored_arrays
from kdbench.records.verify.record_fields import EXACT


def checked_arrays(record: Record, file: RecordFile, task: Task) -> tuple[dict[str, NDArray[Any]], list[Problem]]:
    """The arrays of a valid record with status ok, empty if unusable, and their problems."""
    where = file.source.shown(file.arrays)
    try:
        arrays = stored_arrays(record, file, task)
    except RecordError as error:
        return {}, [Problem(where, "arrays unusable", str(error), f"those of sha256 {record.arrays_sha256}")]
    try:
        wrong = [Problem(where, *problem) for problem in task.problems(arrays, record.sizes)]
        return arrays, wrong or list(_metric_problems(record, file.where, task.measure(arrays)))
    except Exception as error:  # anyone may have written the arrays, and a third party the task
        found = f"{type(error).__name__}: {error}"
        return {}, [Problem(where, "arrays that their task cannot read", found, f"those of a {task.name} task")]


def _metric_problems(record: Record, where: str, measured: dict[str, float]) -> Iterator[Problem]:
    for name, value in measured.items():
        if name in record.metrics and not abs(record.metrics[name] - value) <= EXACT:
            yield Problem(where, f"metrics.{name} does not follow from the arrays", repr(record.metrics[name]), repr(value))
