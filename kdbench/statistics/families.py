"""Runs to families of rows that may be compared."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.statistics.analysis import Analysis, analyse
from kdbench.statistics.splits import UnitsByDigest, split_of
from kdbench.storage.digest import digest_of

Rows = list[list[Measured]]
MANY = 500  # runs, from which on a second process is worth its start


@dataclass(frozen=True)
class Family:
    """Rows that share a protocol: `rows` holds the runs of each by seed, in the order of `analysis.ranked`."""

    protocol: Protocol
    rows: Rows
    analysis: Analysis

    @property
    def first(self) -> Measured:
        """Any of its runs. Raises IndexError if none was usable."""
        return self.rows[0][0]

    @property
    def reference(self) -> bool:
        """Whether it is a teacher itself."""
        return self.protocol.student is None


def families(runs: Iterable[Measured], units: UnitsByDigest | None = None, jobs: int | None = None) -> list[Family]:
    """Rows join a family where their protocols have the same id; families are ordered by `Protocol.parts`.

    `units` say what test queries are resampled in; without those of a dataset, its task says what it assumes. References are
    not trained: each teacher is a family of its own, with intervals and no tests. `jobs` processes share the work if there is
    enough of it and the system can fork; by default one for each core that this process may use.
    """
    protocols: dict[tuple[object, ...], Protocol] = {}  # of runs that can differ in nothing else
    groups: dict[tuple[str, str], dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    shared: dict[tuple[str, str], Protocol] = {}
    for run in runs:
        record = run.record
        cell = record.spec.cell_id
        alike = cell, record.dataset_digest, record.steps
        protocol = protocols.get(alike) or protocols.setdefault(alike, run.protocol)
        key = protocol.id, digest_of(record.spec.student.canonical) if record.spec.reference else ""
        shared.setdefault(key, protocol)
        groups[key][cell].append(run)
    keys = sorted(groups, key=lambda key: (*shared[key].parts.values(), *key))
    laid_out = [list(groups[key].values()) for key in keys]
    analyses = _analysed(laid_out, units or {}, jobs)
    return [_family(shared[key], rows, analysis) for key, rows, analysis in zip(keys, laid_out, analyses, strict=True)]


def _family(protocol: Protocol, rows: Rows, analysis: Analysis) -> Family:
    known = [{run.record.run_id: run for run in row} for row in rows]
    return Family(protocol, [[known[one.index][run] for run in one.run_ids] for one in analysis.ranked], analysis)


def _analysed(laid_out: list[Rows], units: UnitsByDigest, jobs: int | None) -> list[Analysis]:
    if sys.platform != "linux":
        jobs = 1
    elif jobs is None:
        jobs = len(os.sched_getaffinity(0)) if sum(len(row) for rows in laid_out for row in rows) >= MANY else 1
    jobs = min(jobs, len(laid_out))
    if jobs < 2:
        return [_analyse(rows, units) for rows in laid_out]
    # Forked, so that thousands of records need not be handed over; only analyses come back.
    _SHARED[:] = [(rows, units) for rows in laid_out]
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_analyse_shared, range(len(laid_out))))
    finally:
        _SHARED.clear()


_SHARED: list[tuple[Rows, UnitsByDigest]] = []


def _analyse_shared(index: int) -> Analysis:
    return _analyse(*_SHARED[index])


def _analyse(rows: Rows, units: UnitsByDigest) -> Analysis:
    return analyse(rows, *split_of((run for row in rows for run in row), units))
