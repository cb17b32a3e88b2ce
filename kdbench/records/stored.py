"""Reads untrusted files beside a record: arrays, trace, test units."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.errors import RecordError
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.trace import Trace
from kdbench.storage.archives import numbers, whole_rows


def stored_arrays(record: Record, file: RecordFile, task: Task) -> dict[str, NDArray[Any]]:
    """The stored arrays. Raises RecordError if the file is missing, damaged, too large or of another run.

    `Task.problems` checks whether they fit the record.
    """
    content = belonging(file, file.arrays, record.arrays_sha256)
    return numbers(content, max(record.sizes.values(), default=0) * task.values_per_unit)


def stored_trace(record: Record, file: RecordFile) -> Trace:
    """The trace. Raises RecordError if the file is missing, damaged or of another run."""
    content = belonging(file, file.trace, record.trace_sha256)
    try:
        return Trace.model_validate_json(content)
    except (ValueError, RecursionError) as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise RecordError(f"cannot be read ({reason})") from error


def stored_units(record: Record, file: RecordFile) -> dict[str, NDArray[np.int64]] | None:
    """The test unit of each query, by array; None if there is no file and the record does not name one.

    Raises RecordError if the file is missing, damaged, too large or of another dataset.
    """
    if record.units_sha256 is None:
        content = file.read(file.units(record))  # the oldest records do not name the file
        if content is None:
            return None
    else:
        content = belonging(file, file.units(record), record.units_sha256)
    return whole_rows(content, max(record.sizes.values(), default=0))


def belonging(file: RecordFile, name: str, sha256: str | None) -> bytes:
    """The content of a file beside a record, which states its sha256. Raises RecordError if it is missing or another."""
    content = file.read(name)
    if content is None:
        raise RecordError("no such file")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise RecordError(f"its sha256 is {found}, not the one in its record")
    return content
