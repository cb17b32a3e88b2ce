"""A leaderboard for programs: JSON values of all tables, and CSV with a line for each row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.spreadsheet import csv_of

NESTED = (
    "values",
    "runs",
    "by_seed",
    "weights",
    "cost",
    "parameters",
)  # of a row: CSV has them in columns of their own, or not


def plain(board: Board) -> dict[str, Any]:
    """As JSON values."""
    return {"tables": [_table(table, board.transfers) for table in board.tables], "notes": board.notes}


def csv_text(board: Board) -> str:
    """A line for each row, with the id, the verdict and the race of its table. Without tables it is empty."""
    rows = []
    for table in board.tables:
        whole = _table(table, board.transfers)
        both = ("dataset", "trained_on") if board.transfers else ("dataset",)
        common = {"table": whole["id"]} | {
            name: whole[name] for name in (*both, "digest", "student", "budget", "tuning", "regime")
        }
        common |= {"race": _raced(table), "verdict": whole["verdict"]}
        for row in [*whole["references"], *whole["rows"]]:
            flat = {**common, **row} | {"seeds": len(row["by_seed"])}
            for name in NESTED:
                del flat[name]
            flat |= {"reconstructions": ", ".join(row["reconstructions"]), "look": row["look"] or ""}
            for name, value in row["values"].items():
                flat |= {f"{name} {part}": figure for part, figure in value.items()}
            flat |= row["cost"] | {f"weight {name}": weight for name, weight in row["weights"].items()}
            rows.append(flat)
    return csv_of(rows)


def _table(table: Table, transfers: bool) -> dict[str, Any]:
    both = ("dataset", "trained_on") if transfers else ("dataset",)
    names = ("id", "title", *both, "digest", "sizes", "student", "budget", "tuning", "smoke", "regime", "missing", "notes")
    task = {
        "task": table.protocol.task.plain,
        "headline": table.headline.name,
        "metrics": list(map(_metric, table.metrics)),
    }
    rows = {
        "references": [_row(row, table) for row in table.references],
        "rows": [_row(row, table) for row in table.rows],
    }
    decided = {"verdict": table.sentence, "decision": asdict(table.verdict), "race": _race(table)}
    return {name: getattr(table, name) for name in names} | task | decided | rows | {"better": table.better.tolist()}


def _race(table: Table) -> dict[str, Any] | None:
    """How far it is: the seeds at which looks are declared and at which rows were tested, the level spent, the rows that go
    on. None if it is not raced."""
    race, looks = table.protocol.raced, table.looks
    if not race or not looks:
        return None
    return {
        "declared": list(race.seeds_at_looks),
        "tested": list(looks.seeds),
        "spent": looks.spent,
        "running": [table.rows[place].id for place in looks.running],
    }


def _raced(table: Table) -> str:
    """The same in words."""
    race = table.protocol.raced
    return f"{race}: {table.looks}" if race else ""


def _metric(metric: Metric) -> dict[str, Any]:
    return {name: value for name, value in asdict(metric).items() if not callable(value)}


def _row(row: Row, table: Table) -> dict[str, Any]:
    names = ("id", "name", "variant", "teachers", "strategy", "group", "bold")
    return {name: getattr(row, name) for name in names} | {
        "rank_first": row.first,
        "rank_last": row.last,
        **_stop(row, table),
        "model": row.student if row.reference else "",
        "parameters": row.spec.strategy.params if row.spec.strategy else {},
        "reconstructions": list(row.reconstructions),
        "runs": [run.record.run_id for run in row.runs],
        "by_seed": row.by_seed,
        **({"folds": len(row.folds)} if row.folds else {}),
        "values": {name: asdict(value) for name, value in row.values.items()},
        "weights": row.weights,
        "cost": asdict(row.cost),
    }


def _stop(row: Row, table: Table) -> dict[str, Any]:
    """Why a raced row got no more seeds, at which look (from 1), and the id of the row that it is significantly worse than."""
    stop = row.stop
    than = None if stop is None or stop.than is None else table.rows[stop.than].id
    return {"stopped": stop.why if stop else "", "look": (stop.look or None) if stop else None, "worse_than": than}
