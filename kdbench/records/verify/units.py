"""Reads the test units of datasets from the files beside records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.stored import stored_units
from kdbench.records.tasks import task_of

Units = dict[str, Mapping[str, NDArray[np.int64]]]  # by `Record.split_digest`: the unit of each query, by array


def units_of(pairs: Iterable[tuple[RecordFile, Record]], plugins: Plugins | None) -> tuple[Units, list[Problem]]:
    """The units of all datasets with such a file, and the files' problems. The oldest records need no file."""
    found: Units = {}
    seen = set()
    problems: list[Problem] = []
    for file, record in pairs:
        key = file.folder, record.split_digest, record.units_sha256
        if record.status == "ok" and key not in seen:
            seen.add(key)
            problems += _take(found, file, record, task_of(record.spec.task, plugins))
    return found, problems


def _take(found: Units, file: RecordFile, record: Record, task: Task) -> Iterator[Problem]:
    where = file.source.shown(file.units(record))
    expected = f"that of sha256 {record.units_sha256}" if record.units_sha256 else "the test unit of each query"
    try:
        units = stored_units(record, file)
    except RecordError as error:
        yield Problem(where, "test units unusable", str(error), expected)
        return
    if units is None:
        return
    wrong = list(task.unit_problems(units, record.sizes))
    if wrong:
        yield from (Problem(where, what, value, fits) for what, value, fits in wrong)
        return
    known = found.setdefault(record.split_digest, units)
    if known.keys() != units.keys() or not all(np.array_equal(known[name], units[name]) for name in units):
        yield Problem(where, "test units that differ between folders", "other numbers", "one content for a dataset")
