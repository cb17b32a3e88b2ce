"""Boards by hand, from real records and from hostile ones, for the tests of the site."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from kdbench.reports.site import Method

from kdbench.records.record import Record, find_records, read_record, read_series
from kdbench.reports.board import Board, Cost, Measured, Row, Table, Value
from kdbench.reports.pareto import Plane, Point
from kdbench.tasks.retrieval.ranks import Ranks
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


def no_ranks() -> Ranks:
    """No page shows ranks, so none may ask for them."""
    raise AssertionError("a page has read ranks")


def measured(path: Path) -> Measured:
    record = read_record(path)
    return Measured(record, no_ranks, partial(read_series, path) if record.series_sha256 else dict)


def measured_in(*suites: str, results: Path = RESULTS) -> list[Measured]:
    return [measured(path) for path in find_records([results / suite for suite in suites])]


def board_of(runs: Iterable[Measured], notes: Iterable[str] = ("a run was skipped: no GPU",)) -> Board:
    """A table a dataset and student, groups of three rows; intervals are made up, all else is the records'."""
    tables: dict[str, list[Measured]] = defaultdict(list)
    references: dict[str, list[Row]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: int(run.record.spec["seed"])):
        spec = run.record.spec
        if spec.get("role") == "reference":
            references[str(run.record.dataset_digest)].append(row_of([run]))
        else:
            tables[json.dumps([run.record.dataset_digest, spec["dataset"]["name"], spec["student"]["name"]])].append(run)
    return Board([_table(group, references[str(group[0].record.dataset_digest)]) for group in tables.values()], list(notes))


def row_of(runs: list[Measured], place: int = 0) -> Row:
    record = runs[0].record
    metrics = {name: [run.record.metrics[name] for run in runs] for name in record.metrics}
    values = {}
    for name, found in metrics.items():
        mean = fmean(found) * (100 if "recall@" in name else 1)
        values[name] = Value(mean, mean - 1.5, mean + 1.5)
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
        cells[run.record.cell_id].append(run)
    ordered = sorted(cells.values(), key=lambda cell: -fmean(run.record.metrics["rsum"] for run in cell))
    rows = [row_of(cell, place) for place, cell in enumerate(ordered, 1)]
    first = runs[0].record
    train = first.spec["train"]
    return Table(
        dataset=first.spec["dataset"]["name"],
        digest=str(first.dataset_digest),
        sizes=first.sizes,
        recall_at=first.spec["evaluate"]["recall_at"],
        student=first.spec["student"]["name"],
        budget=f"{train['epochs']} epochs, {first.steps} steps of {train['batch_size']} pairs",
        tuning="untuned",
        rows=rows,
        references=references,
        better=np.zeros((len(rows), len(rows)), np.bool_),
        missing=["random weights", "each teacher alone"],
        verdict=f"On {first.spec['dataset']['name']}, use {rows[0].name}: RSUM {rows[0].values['rsum'].mean:.1f}; "
        "it cannot be told apart from the two rows after it.",
        notes=["3 seeds a row"],
    )


def planes_of(board: Board) -> list[Plane]:
    """A plane a table, at made-up costs that grow with the place in the table."""
    planes = []
    for table in board.tables:
        points = [
            Point(row, 2.0 + 0.7 * place, row.values["rsum"], place % 4 == 0, place % 4 == 1)
            for place, row in enumerate(reversed(table.rows))
        ]
        title = f"{table.dataset} on cpu"
        notes = ["pebble: not profiled here"]
        planes.append(Plane(table.id, title, "latency of both towers at batch 1, ms", points, table.references, notes))
    return planes


def hostile() -> Board:
    """Two seeds of a run whose every name is an attack, and a plain row beside it."""
    runs = [
        run for run in measured_in("emoji") if run.record.spec.get("strategy") and run.record.spec["strategy"]["use"] == "ammkd"
    ]
    found = []
    for run in runs[:2]:
        changes = run.record.model_dump()
        spec: dict[str, Any] = changes["spec"]
        spec["strategy"] |= {"name": SCRIPT, "use": SCRIPT, "params": {SCRIPT: IMAGE}}
        spec["student"]["name"] = spec["dataset"]["name"] = IMAGE
        spec["variant"] = IMAGE
        for teacher in spec["team"]:
            teacher["name"] = f"{BOLD}{IMAGE}&{teacher['name']}"
        changes |= {"label": SCRIPT, "cell_id": IMAGE, "reconstructions": [SCRIPT], "licence": IMAGE, "device": IMAGE}
        changes |= {"run_id": f"../{SCRIPT}{spec['seed']}", "weights": {f"{IMAGE}&lite0": 0.4, SCRIPT: 0.6}}
        steps = [1, 2, 3]
        series = {"step": steps, "loss": [3.0, None, 1.0], "weights": {IMAGE: [0.1, 0.2, 0.3], f"</script>{SCRIPT}": steps}}
        found.append(Measured(Record.model_validate(changes), no_ranks, partial(dict, series)))
    plain = [
        Measured(
            run.record.model_copy(
                update={
                    "spec": run.record.spec
                    | {"dataset": found[0].record.spec["dataset"], "student": found[0].record.spec["student"]}
                }
            ),
            no_ranks,
        )
        for run in runs[2:4]
    ]
    return board_of([*found, *plain], [SCRIPT, IMAGE])
