"""Boards by hand, from real records and from hostile ones, for the tests of the site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts.report import Method
from kdbench.records.files import find_records, read_record, read_trace
from kdbench.records.measured import Measured
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from kdbench.reports.board import Board, Cost, Row, Table
from kdbench.reports.pareto import Plane, Point
from kdbench.reports.verdict import Verdict
from kdbench.statistics.value import Value
from tests.support.paths import ROOT

RESULTS = ROOT / "results"
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
BOLD = "<b>bold</b>"  # plotly takes it for markup
METHODS = [
    Method(
        "ammkd",
        "weights from gradients",
        "w = softmax(−C·‖Σ wᵢ ∇Lᵢ‖²) & more",
        "AMMKD, https://example.org/paper?a=1&b=2.",
        "reconstruction",
        "kdbench",
    ),
    Method("equal", "the mean of all teachers", "wᵢ = 1 / T", "javascript:alert(3)", "published", "kdbench"),
]


def no_arrays() -> dict[str, NDArray[Any]]:
    """No page shows what was stored per test query, so none may ask for it."""
    raise AssertionError("a page has read the stored arrays")


def of_record(record: Record, trace: Trace | None = None) -> Measured:
    """Its run, with a trace."""
    return Measured(record, task_of(record.spec.task), no_arrays, lambda: trace or Trace())


def measured(path: Path) -> Measured:
    record = read_record(path)
    trace = partial(read_trace, path) if record.trace_sha256 else Trace
    return Measured(record, task_of(record.spec.task), no_arrays, trace)


def measured_in(*suites: str, results: Path = RESULTS) -> list[Measured]:
    """Published runs; of a cross-validation those of the first fold, so that a row has a run a seed."""
    found = [measured(path) for path in find_records([results / suite for suite in suites])]
    return [run for run in found if not (fold := run.record.spec.fold) or fold.index == 0]


def changed(record: Record, spec: dict[str, Any] | None = None, **fields: Any) -> Record:
    """A copy of a record, with other fields of its own and of its spec."""
    return record.replace(spec=record.spec.replace(**spec or {}), **fields)


def board_of(runs: Iterable[Measured], notes: Iterable[str] = ("a run was skipped: no GPU",)) -> Board:
    """A table a dataset and student, groups of three rows; intervals are made up, all else is the records'."""
    tables: dict[tuple[str, ...], list[Measured]] = defaultdict(list)
    references: dict[str, list[Row]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.seed):
        spec = run.record.spec
        if spec.reference:
            references[str(run.record.dataset_digest)].append(row_of([run]))
        else:
            tables[str(run.record.dataset_digest), spec.dataset.name, spec.student.name].append(run)
    return Board([_table(group, references[str(group[0].record.dataset_digest)]) for group in tables.values()], list(notes))


def row_of(runs: list[Measured], place: int = 0) -> Row:
    record = runs[0].record
    values = {}
    for metric in (one for one in runs[0].task.metrics if one.name in record.metrics):
        mean = metric.scale * fmean(run.record.metrics[metric.name] for run in runs)
        values[metric.name] = Value(mean, mean - 1.5, mean + 1.5)
    return Row(
        runs=tuple(runs),
        values=values,
        first=max(1, place - 1) if place else 0,
        last=place + 1 if place else 0,
        group=(place + 2) // 3 if place else 0,
        bold=0 < place <= 3,
        weights=dict(record.weights),
        reconstructions=tuple(record.reconstructions),
        cost=Cost(
            7.5 if place == 2 else fmean(run.record.timings.get("train", 0.0) for run in runs),
            13.25 if place else None,
            0.034 if place else None,
            None,
        ),
    )


def _table(runs: list[Measured], references: list[Row]) -> Table:
    cells: dict[str, list[Measured]] = defaultdict(list)
    for run in runs:
        cells[run.record.spec.cell_id].append(run)
    task = runs[0].task
    sign = -1 if task.headline.higher_is_better else 1
    ordered = sorted(cells.values(), key=lambda cell: sign * fmean(run.record.metrics[task.headline.name] for run in cell))
    rows = [row_of(cell, place) for place, cell in enumerate(ordered, 1)]
    return Table(
        protocol=runs[0].protocol,
        metrics=tuple(task.metrics),
        sizes=runs[0].record.sizes,
        rows=rows,
        references=references,
        better=np.zeros((len(rows), len(rows)), np.bool_),
        missing=["random weights", "each teacher alone"],
        verdict=Verdict("equivalent", use=0, candidates=tuple(range(min(3, len(rows)))), margin=3.0)
        if len(rows) > 1
        else Verdict("one row", use=0, candidates=(0,)),
        notes=["3 seeds a row"],
    )


def planes_of(board: Board) -> list[Plane]:
    """A plane a table, at made-up costs that grow with the place in the table."""
    planes = []
    for table in board.tables:
        points = [
            Point(row, 2.0 + 0.7 * place, row.value, place % 4 == 0, place % 4 == 1)
            for place, row in enumerate(reversed(table.rows))
        ]
        title = f"{table.dataset} on cpu"
        notes = ["pebble: not profiled here"]
        cost = "latency of image + text, batch 1 (ms)"
        planes.append(Plane(table.id, title, cost, table.headline, points, table.references, notes))
    return planes


def hostile() -> Board:
    """Two seeds of a run whose every name is an attack, and a plain row beside it."""
    runs = [run for run in measured_in("emoji") if run.record.spec.strategy and run.record.spec.strategy.use == "ammkd"]
    found = []
    for run in runs[:2]:
        record, spec = run.record, run.record.spec
        assert spec.strategy
        attack = changed(
            record,
            {
                "strategy": spec.strategy.replace(name=SCRIPT, use=SCRIPT, params={SCRIPT: IMAGE}, defaults={}),
                "student": spec.student.replace(name=IMAGE),
                "dataset": spec.dataset.replace(name=IMAGE),
                "variant": IMAGE,
                "team": tuple(teacher.replace(name=f"{BOLD}{IMAGE}&{teacher.name}") for teacher in spec.team),
            },
            run_id=f"../{SCRIPT}{spec.seed}",
            cell_id=IMAGE,
            label=SCRIPT,
            reconstructions=[SCRIPT],
            licence=IMAGE,
            device=IMAGE,
            weights={f"{IMAGE}&lite0": 0.4, SCRIPT: 0.6},
        )
        weights = {IMAGE: [0.1, 0.2, 0.3], f"</script>{SCRIPT}": [1.0, 2.0, 3.0]}
        found.append(of_record(attack, Trace(step=[1, 2, 3], loss=[3.0, float("nan"), 1.0], weights=weights)))
    first = found[0].record.spec
    beside = [
        of_record(changed(run.record, {"dataset": first.dataset, "student": first.student}, run_id=f"{place:012x}"))
        for place, run in enumerate(runs[2:4])
    ]
    return board_of([*found, *beside], [SCRIPT, IMAGE])
