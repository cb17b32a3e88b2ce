"""A finished run, as statistics and reports see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdbench.records.files import read_record
from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from tests.support.made_records import made
from tests.support.rankings import run
from tests.support.toys import Count


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    record = read_record(made(tmp_path, 3))
    arrays, trace = Count(dict), Count(Trace)
    one = Measured(record, task_of(record.spec.task), arrays, trace)
    assert (one.seed, one.protocol) == (3, Protocol.of(record))
    assert one.protocol is one.protocol
    assert (arrays.calls, trace.calls) == (0, 0)
    assert (one.arrays(), one.trace()) == ({}, Trace())


def test_a_run_is_told_by_its_seed_and_fold() -> None:
    one = run("equal", 2, np.ones(3), np.ones(3))
    fold = run("equal", 2, np.ones(3), np.ones(3), spec={"fold": {"index": 1, "of": 4}})
    assert (one.seed, one.fold, one.which) == (2, 0, "2")
    assert (fold.seed, fold.fold, fold.which) == (2, 1, "2 · fold 2/4")
