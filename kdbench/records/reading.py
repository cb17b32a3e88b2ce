"""Reads everything that a leaderboard needs: valid records with their stored files, test units, profiles, studies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.records.problem import Problem
from kdbench.records.profile import Profile
from kdbench.records.record import Record
from kdbench.records.sources import Disk, InMemory, RecordFile
from kdbench.records.stored import stored_trace
from kdbench.records.study_summary import StudySummary
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from kdbench.records.verify.examine import examined
from kdbench.records.verify.stored_arrays import checked_arrays

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins


@dataclass
class Reading:
    """The valid files that were found, and the problems of those left out."""

    runs: list[Measured] = field(default_factory=list)  # runs that are ok
    unfinished: list[Record] = field(default_factory=list)  # all other records
    units: dict[str, Mapping[str, NDArray[np.int64]]] = field(default_factory=dict)  # `Task.units`, by `Record.split_digest`
    profiles: list[Profile] = field(default_factory=list)
    studies: list[StudySummary] = field(default_factory=list)  # beside tuned runs
    problems: list[Problem] = field(default_factory=list)


def read_measured(paths: Iterable[Path], plugins: Plugins | None = None) -> Reading:
    """Reads folders, records and bundles. Leaves out invalid records and returns the reasons as problems.

    `plugins` offer the tasks, by default the installed ones. Arrays and traces are read only when needed. Raises RecordError
    if a path does not exist.
    """
    found = Reading()
    with examined(paths, deep=False, plugins=plugins, beside=True) as seen:
        found.problems += seen.problems
        found.profiles += [profile for listed in seen.profiles.values() for _, profile in listed]
        found.studies += [study.summary for listed in seen.studies.values() for study in listed if study.fine]
        found.units = seen.units
        for file, record in seen.good:
            if record.status != "ok":
                found.unfinished.append(record)
                continue
            task = task_of(record.spec.task, plugins)
            lasting = file if isinstance(file.source, Disk) else _in_memory(file)  # bundles are closed after this
            found.runs.append(Measured(record, task, _Arrays(lasting, record, task), _Trace(lasting, record)))
    return found


@dataclass(frozen=True)
class _Arrays:
    file: RecordFile
    record: Record
    task: Task

    def __call__(self) -> dict[str, NDArray[Any]]:
        arrays, problems = checked_arrays(self.record, self.file, self.task)
        if problems:
            raise RecordError(problems[0].line)
        return arrays


@dataclass(frozen=True)
class _Trace:
    """The trace; empty if there is none or it is damaged, which `kdbench verify` reports."""

    file: RecordFile
    record: Record

    def __call__(self) -> Trace:
        try:
            trace = stored_trace(self.record, self.file) if self.record.trace_sha256 else Trace()
        except RecordError:
            return Trace()
        return Trace() if trace.fault else trace


def _in_memory(file: RecordFile) -> RecordFile:
    kept = InMemory({}, file.where)
    for name in (file.arrays, file.trace):
        try:
            kept.files[name] = file.read(name)
        except RecordError as error:
            kept.files[name] = error
    return RecordFile(kept, file.name)
