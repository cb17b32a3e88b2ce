"""A finished run, as statistics and reports see it."""

from __future__ import annotations

from pathlib import Path

from kdbench.records.files import read_record
from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from tests.support.made_records import made
from tests.support.toys import Count


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    record = read_record(made(tmp_path, 3))
    arrays, trace = Count(dict), Count(Trace)
    run = Measured(record, task_of(record.spec.task), arrays, trace)
    assert (run.seed, run.protocol) == (3, Protocol.of(record))
    assert run.protocol is run.protocol
    assert (arrays.calls, trace.calls) == (0, 0)
    assert (run.arrays(), run.trace()) == ({}, Trace())
