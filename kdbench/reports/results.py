"""Recorded runs as a Python program reads them: a leaderboard, and pandas tables of rows, runs and test queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdbench.records.measured import Measured
from kdbench.records.profile import Profile
from kdbench.records.reading import Reading, read_measured
from kdbench.records.record import Record
from kdbench.records.remarks import remarks
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.build_board import build
from kdbench.reports.leaderboard_text import leaderboard
from kdbench.reports.text_table import Format

if TYPE_CHECKING:
    import pandas as pd

    from kdbench.plugins.loading import Plugins


def load(
    paths: str | Path | Iterable[str | Path] = "results", *, plugins: Plugins | None = None, smoke: bool = False
) -> Results:
    """Reads records from folders, record files and bundles.

    Records that cannot be relied on are left out; `Results.problems` says why. `plugins` offer the tasks of the runs; those
    installed do by default. With `smoke`, runs of `--smoke` count too. Raises RecordError if a path does not exist.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    return Results(read_measured(map(Path, listed), plugins), smoke=smoke)


@dataclass(repr=False)
class Results:
    """Runs read from records. Metrics are in shown units (`Metric.unit`), as on the leaderboard."""

    reading: Reading
    smoke: bool = False
    measured: Sequence[Profile] | None = None  # profiles in place of those read beside the records
    notes: list[str] = field(default_factory=list)  # shown first of the board's

    def __repr__(self) -> str:
        """A short line: what is held, not the records themselves."""
        runs, unfinished, problems = len(self.reading.runs), len(self.reading.unfinished), len(self.reading.problems)
        return f"<Results: {runs} finished, {unfinished} unfinished and {problems} left-out runs; see .table(), .runs, .text()>"

    @cached_property
    def board(self) -> Board:
        """The leaderboard as values: tables of comparable rows with intervals, tests and notes."""
        board = build(self.reading.runs, self.reading.unfinished, self.reading.units, self.smoke)
        known = [*(run.record for run in self.reading.runs), *self.reading.unfinished]
        remarked = remarks(record for record in known if self.smoke or not record.spec.smoke)
        board.notes[:0] = [*self.notes, *remarked, *(f"left out: {problem}" for problem in self.problems)]
        return board

    @property
    def profiles(self) -> Sequence[Profile]:
        """What the students cost: parameters, FLOPs, latency, memory."""
        return self.reading.profiles if self.measured is None else self.measured

    @property
    def problems(self) -> list[str]:
        """What was left out, and why."""
        return [problem.line for problem in self.reading.problems]

    @property
    def failed(self) -> list[Record]:
        """Records of runs that failed or diverged."""
        return [record for record in self.reading.unfinished if record.status in ("failed", "diverged")]

    def text(
        self, style: Format = "table", width: int | None = None, *, wide: bool = False, columns: Sequence[str] = ()
    ) -> str:
        """The leaderboard as `kdbench leaderboard` prints it.

        A `table` leaves out columns that do not fit into `width` characters, Markdown those beyond nine; with `wide`, both have
        all. With `columns`, only the tables of runs are shown, with the columns of these names, in this order. Raises
        KdbenchError for a name that no column has.
        """
        return leaderboard(self.board, self.profiles, style, width, wide=wide, names=columns)

    def table(self) -> pd.DataFrame:
        """One row per cell, best first within each protocol, teachers themselves at its end.

        Columns: `protocol` (equal for rows that compare), `cell`, `dataset`, `variant`, `student`, `teachers`, `strategy`,
        `reference` (a teacher itself), `seeds` (their number), `rank_first` to `rank_last` (possible ranks) and `group` (tie
        group from 1); these three are missing for references. For each metric its mean and 95 % interval: `NAME`,
        `NAME_low`, `NAME_high`. Then `train_seconds`, `teacher_seconds`, `strategy_share`, `peak_mb` and `weight_TEACHER`.
        If students of a row were trained on another dataset than they were evaluated on, `trained_on` follows `dataset`.
        """
        import pandas as pd

        board = self.board
        rows = [_table_row(table, row, board.transfers) for table in board.tables for row in (*table.rows, *table.references)]
        frame = pd.DataFrame(rows, columns=None if rows else _TABLE)
        return frame.astype(dict.fromkeys(("rank_first", "rank_last", "group"), "Int64"))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run, whatever its status; metrics and timings are missing where a run has none.

        Columns: `run`, `cell`, `status`, `reason`, `suite`, `dataset`, `variant`, `student`, `teachers`, `strategy`, `seed`,
        each metric by name, `steps`, `best_epoch`, `teacher_seconds`, `train_seconds`, `evaluate_seconds`, `peak_mb`,
        `device`, `started`, `finished`; `trained_on` as in `table`. In cross-validation `fold`, from 0, follows `seed`.
        """
        import pandas as pd

        kept = [run for run in self.reading.runs if self.smoke or not run.record.spec.smoke]
        both = [(run.record, _shown(run)) for run in kept]
        both += [(record, {}) for record in self.reading.unfinished if self.smoke or not record.spec.smoke]
        transfers = any(record.spec.trained_on for record, _ in both)
        folds = any(record.spec.fold for record, _ in both)
        rows = [_run_row(record, shown, transfers, folds) for record, shown in both]
        return pd.DataFrame(rows, columns=None if rows else _RUN)

    def queries(self) -> pd.DataFrame:
        """What each test query scored, in long format: one row per run, array and query.

        Columns: `run`, `cell`, `seed`, `array` (its name in the run's file; `NAME[i]` for the i-th of several values per
        query), `query` (position from 0), `value` (for retrieval the retrieval rank of the first match, from 1) and `unit`
        (the test unit that the query belongs to). In cross-validation `fold`, from 0, follows `seed`. Raises RecordError if a
        file does not hold what its record says.
        """
        import pandas as pd

        parts = [
            part
            for run in self.reading.runs
            if self.smoke or not run.record.spec.smoke
            for part in _query_parts(run, self.reading)
        ]
        if not parts:
            return pd.DataFrame(columns=_QUERY)
        frame = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
        columns = [*_QUERY[:3], *(["fold"] if "fold" in frame else []), *_QUERY[3:]]
        return frame.astype(dict.fromkeys(("run", "cell", "array"), "category"))[columns]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """For notebooks."""
        return str(self.table().to_html(index=False))


_QUERY = ["run", "cell", "seed", "array", "query", "value", "unit"]
_ROW = ["dataset", "variant", "student", "teachers", "strategy"]
_TABLE = ["protocol", "cell", *_ROW, "reference", "seeds", "rank_first", "rank_last", "group"]
_RUN = ["run", "cell", "status", "reason", "suite", *_ROW, "seed"]


def _table_row(table: Table, row: Row, transfers: bool) -> dict[str, Any]:
    ranked = {"rank_first": row.first, "rank_last": row.last, "group": row.group}
    found: dict[str, Any] = {
        "protocol": table.id,
        "cell": row.id,
        "dataset": table.dataset,
        **({"trained_on": table.trained_on} if transfers else {}),
        "variant": row.variant,
        "student": row.student,
        "teachers": " + ".join(row.team),
        "strategy": row.strategy,
        "reference": row.reference,
        "seeds": len(row.seeds),
        **{name: None if row.reference else value for name, value in ranked.items()},
    }
    for name, value in row.values.items():
        found |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
    cost = row.cost
    found |= {name: getattr(cost, name) for name in ("train_seconds", "teacher_seconds", "strategy_share", "peak_mb")}
    return found | {f"weight_{teacher}": weight for teacher, weight in row.weights.items()}


def _shown(run: Measured) -> dict[str, float]:
    """The metrics of a run in shown units."""
    raw = run.record.metrics
    return {metric.name: metric.scale * raw[metric.name] for metric in run.task.metrics if metric.name in raw}


def _run_row(record: Record, metrics: dict[str, float], transfers: bool, folds: bool) -> dict[str, Any]:
    spec = record.spec
    return {
        "run": record.run_id,
        "cell": spec.cell_id,
        "status": record.status,
        "reason": record.reason,
        "suite": spec.suite,
        "dataset": spec.dataset.name,
        **({"trained_on": (spec.trained_on or spec).dataset.name} if transfers else {}),
        "variant": spec.variant,
        "student": spec.student.name,
        "teachers": " + ".join(spec.teachers),
        "strategy": spec.strategy.name if spec.strategy else "",
        "seed": spec.seed,
        **({"fold": spec.fold.index if spec.fold else None} if folds else {}),
        **metrics,
        "steps": record.steps,
        "best_epoch": record.best_epoch,
        **{f"{name}_seconds": record.timings.get(name) for name in ("teacher", "train", "evaluate")},
        "peak_mb": record.peak_mb,
        "device": record.device,
        "started": record.started,
        "finished": record.finished,
    }


def _query_parts(run: Measured, reading: Reading) -> Iterable[dict[str, Any]]:
    record = run.record
    units = reading.units.get(record.split_digest, {})
    common = {"run": record.run_id, "cell": record.spec.cell_id, "seed": run.seed}
    common |= {"fold": run.fold} if record.spec.fold else {}
    named = {queries.array: queries.units or queries.array for queries in run.task.queries}
    for name, values in run.arrays().items():
        query = np.arange(len(values))
        unit = np.asarray(units.get(named.get(name, name), query), dtype=np.int64)
        columns = values.reshape(len(values), -1).T
        for place, column in enumerate(columns):
            label = name if values.ndim == 1 else f"{name}[{place}]"
            yield {**common, "array": label, "query": query, "value": column, "unit": unit}
