"""Recomputes a record's mean weights and dynamics from the trace that its run stored."""

from __future__ import annotations

from collections.abc import Iterator

from kdbench.errors import RecordError
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.stored import stored_trace

ROUNDED = 1e-6  # traces are rounded to six digits


def trace_problems(record: Record, file: RecordFile) -> Iterator[Problem]:
    """Yields the problems of a record's trace. The oldest records and references have none."""
    where = file.source.shown(file.trace)
    if record.trace_sha256 is None:
        if file.read(file.trace) is not None:
            yield Problem(where, "a trace that its record does not name", "a file", "none, or its sha256 in the record")
        return
    try:
        trace = stored_trace(record, file)
    except RecordError as error:
        yield Problem(where, "trace unusable", str(error), f"that of sha256 {record.trace_sha256}")
        return
    last = trace.step[-1] if trace.step else 0
    if last != record.steps:
        yield Problem(where, "the last step", repr(last), f"{record.steps}, the record's steps")
    for of, stated, found in (
        ("weights", record.weights, trace.mean_weights),
        ("dynamics", record.dynamics, trace.dynamics),
    ):
        for name in {**stated, **found}:
            said, follows = stated.get(name), found.get(name)
            if said is None or follows is None or not abs(said - follows) <= ROUNDED:
                yield Problem(file.where, f"{of}.{name} does not follow from the trace", repr(said), repr(follows))
