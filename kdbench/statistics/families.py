"""Runs to families of rows that may be compared."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from kdbench.reports.board import Measured
from kdbench.statistics.analysis import Analysis, analyse
from kdbench.statistics.units import units_of

Given = tuple[NDArray[Any], NDArray[Any]]
Concepts = Mapping[str, Given]  # dataset digest → concepts of its test split's images [N] and captions [M]
Rows = list[list[Measured]]
MANY = 500  # runs, from which on a second process is worth its start


@dataclass(frozen=True)
class Family:
    """Rows that compare. `parts` are what they have in common, in words; `rows` their runs by seed, in the order of the
    analysis' standings."""

    parts: dict[str, str]
    rows: Rows
    analysis: Analysis

    @property
    def first(self) -> Measured:
        """Any of its runs: what makes rows comparable is the same for all."""
        return self.rows[0][0]


def families(runs: Iterable[Measured], concepts: Concepts | None = None, jobs: int | None = None) -> list[Family]:
    """Rows join a family where dataset digest, protocol, student, sample budget and tuning budget agree.

    `concepts` say what test queries are resampled in; without those of a dataset, `units_of` says what is assumed.
    References, which are not trained, are of no student's family: each is its own, with intervals and no tests.
    `jobs` processes share the work, where there is enough of it and the system can fork; by default one a core.
    """
    groups: dict[str, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for one in runs:
        groups[_comparable(one)][one.record.cell_id].append(one)
    laid_out = [list(group.values()) for _, group in sorted(groups.items())]
    analyses = _analysed(laid_out, concepts or {}, jobs)
    return [_family(rows, analysis) for rows, analysis in zip(laid_out, analyses, strict=True)]


def budget(one: Measured) -> str:
    """The samples a run has seen, in words."""
    train = one.record.spec["train"]
    return f"{train['epochs']} epochs, {one.record.steps} steps of {train['batch_size']} pairs" if train else "no training"


def tuning(one: Measured) -> str:
    """How a run's parameters were found, in words."""
    found = one.record.spec.get("tuning")
    return f"{found['trials']} trials on {found['split']}" if found else "untuned"


def _comparable(one: Measured) -> str:
    spec = one.record.spec
    parts = [spec["dataset"]["name"], one.record.dataset_digest, one.recall_at, spec["student"], spec.get("smoke", False)]
    return json.dumps([*parts, spec.get("role", ""), budget(one), tuning(one)], sort_keys=True)


def _family(rows: Rows, analysis: Analysis) -> Family:
    first = rows[0][0]
    spec = first.record.spec
    parts = {
        "dataset": f"{spec['dataset']['name']} (digest {(first.record.dataset_digest or '')[:8]})",
        "protocol": f"R@{', '.join(map(str, first.recall_at))}",
        "student": spec["student"]["name"],
        "student initialisation": json.dumps(spec["student"], sort_keys=True),
        "sample budget": budget(first),
        "tuning budget": tuning(first),
    }
    known = [{run.record.run_id: run for run in row} for row in rows]
    return Family(parts, [[known[one.place][run] for run in one.run_ids] for one in analysis.standings], analysis)


def _analysed(laid_out: list[Rows], concepts: Concepts, jobs: int | None) -> list[Analysis]:
    if jobs is None:
        jobs = (os.cpu_count() or 1) if sum(len(row) for rows in laid_out for row in rows) >= MANY else 1
    jobs = min(jobs, len(laid_out)) if sys.platform == "linux" else 1
    if jobs < 2:
        return [_analyse(rows, concepts) for rows in laid_out]
    # Forked, so that thousands of records need not be handed over; only what is found comes back.
    _SHARED[:] = [(rows, concepts) for rows in laid_out]
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_analyse_shared, range(len(laid_out))))
    finally:
        _SHARED.clear()


_SHARED: list[tuple[Rows, Concepts]] = []


def _analyse_shared(place: int) -> Analysis:
    return _analyse(*_SHARED[place])


def _analyse(rows: Rows, concepts: Concepts) -> Analysis:
    record = rows[0][0].record
    return analyse(rows, units_of(record.sizes, concepts.get(record.dataset_digest or "")))
