"""A leaderboard as text: for the terminal, for a README, for a spreadsheet, for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.columns import DAGGER, ONE_SEED, check_names, columns
from kdbench.reports.text_table import Format, escaped, left_out, table_text, wrapped

WHAT = "mean ± half of the 95 % interval over seeds and test units"


def render(
    board: Board, style: Format = "table", width: int | None = None, *, wide: bool = False, names: Sequence[str] = ()
) -> str:
    """Tables with a column for each metric that their task shows, in its unit.

    A `table` leaves out columns that do not fit into `width` characters, names them, and wraps its text; Markdown has at most
    nine columns. With `wide`, both have all; with `names`, these columns in this order, in the tables that have any of them.
    Raises KdbenchError if no table has a column of one of the names.
    """
    check_names(names, board.tables)
    if style == "json":
        return json.dumps(plain(board), indent=1, ensure_ascii=False)
    if style == "csv":
        return _csv(board)
    if not board.tables:
        return "\n".join(["No finished runs.", *board.notes])
    parts = [part for table in board.tables if (part := _text(table, style, width, wide, names))]
    notes = [wrapped(f"- {escaped(note, style)}", style, width) for note in board.notes]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def plain(board: Board) -> dict[str, Any]:
    """As JSON values."""
    return {"tables": [_plain_table(table, board.transfers) for table in board.tables], "notes": board.notes}


def rows_text(
    table: Table, style: Format, width: int | None = None, wide: bool = False, names: Sequence[str] = ()
) -> tuple[str, list[str], list[Metric]]:
    """The rows alone, with the names of columns that were left out, and the metrics that have columns. See `render`."""
    rows = [*table.references, *table.rows]
    found = columns(table, names)
    text, dropped = table_text(found, rows, style, width, wide) if found else ("", [])
    shown = {column.name for column in found} - set(dropped)
    return text, dropped, [metric for metric in table.metrics if metric.label in shown]


def _text(table: Table, style: Format, width: int | None, wide: bool, names: Sequence[str]) -> str:
    """Empty if it has none of the named columns."""
    text, dropped, metrics = rows_text(table, style, width, wide, names)
    if not text:
        return ""
    title = escaped(table.title, style)
    head = [f"**{title}**" if style == "markdown" else title, escaped(table.sentence, style)]
    notes = [*(f"- {escaped(note, style)}" for note in _notes(table, metrics)), *left_out(dropped, style)]
    parts = [*(wrapped(line, style, width) for line in head), text]
    return "\n\n".join([*parts, "\n".join(wrapped(note, style, width) for note in notes)])


def _notes(table: Table, metrics: Sequence[Metric]) -> list[str]:
    """What a reader has to know of the table's signs, and what it lacks."""
    rows = [*table.references, *table.rows]
    counted = "seeds × folds" if any(row.folds for row in rows) else "seeds"
    notes = [f"{table.split}; {WHAT}; rank: the possible ranks, all pairs tested (Holm, 5 %); n: {counted}"]
    if units := _units(metrics):
        notes.append(units)
    if table.missing:
        notes.append(f"incomplete, these baselines are missing: {', '.join(table.missing)}")
    if any(len(row.runs) == 1 for row in table.rows):
        notes.append(f"{ONE_SEED} one seed: its interval does not include the variance of training")
    if labels := sorted({label for row in rows for label in row.reconstructions}):
        notes.append(f"{DAGGER} reconstruction, as its source leaves something open: {', '.join(labels)}")
    return [*notes, *table.notes]


def _units(metrics: Sequence[Metric]) -> str:
    """In which unit metrics are, and of which a lower value is better."""
    units: dict[str, list[str]] = {}
    for metric in metrics:
        told = [metric.unit] if metric.unit else []
        told += [] if metric.higher_is_better else ["lower is better"]
        if told:
            units.setdefault(", ".join(told), []).append(metric.label)
    return "; ".join(f"{', '.join(labels)} ({unit})" for unit, labels in units.items())


def _csv(board: Board) -> str:
    import pandas as pd  # only here: half a second that the other formats need not pay

    rows = []
    for table in board.tables:
        whole = _plain_table(table, board.transfers)
        both = ("dataset", "trained_on") if board.transfers else ("dataset",)
        common = {name: whole[name] for name in (*both, "digest", "student", "budget", "tuning")}
        for row in [*whole["references"], *whole["rows"]]:
            flat = {**common, **row} | {"seeds": len(row["by_seed"])}
            for name in ("values", "runs", "by_seed", "weights", "cost", "parameters"):
                del flat[name]
            flat["reconstructions"] = ", ".join(row["reconstructions"])
            for name, value in row["values"].items():
                flat |= {f"{name} {part}": figure for part, figure in value.items()}
            flat |= row["cost"] | {f"weight {name}": weight for name, weight in row["weights"].items()}
            rows.append(flat)
    return str(pd.DataFrame(rows).to_csv(index=False)).rstrip("\n")


def _plain_table(table: Table, transfers: bool) -> dict[str, Any]:
    both = ("dataset", "trained_on") if transfers else ("dataset",)
    names = ("id", "title", *both, "digest", "sizes", "student", "budget", "tuning", "smoke", "missing", "notes")
    task = {
        "task": table.protocol.task.plain,
        "headline": table.headline.name,
        "metrics": list(map(_plain_metric, table.metrics)),
    }
    rows = {"references": list(map(_plain_row, table.references)), "rows": list(map(_plain_row, table.rows))}
    decided = {"verdict": table.sentence, "decision": asdict(table.verdict)}
    return {name: getattr(table, name) for name in names} | task | decided | rows | {"better": table.better.tolist()}


def _plain_metric(metric: Metric) -> dict[str, Any]:
    return {name: value for name, value in asdict(metric).items() if not callable(value)}


def _plain_row(row: Row) -> dict[str, Any]:
    names = ("id", "name", "variant", "teachers", "strategy", "group", "bold", "stopped")
    return {name: getattr(row, name) for name in names} | {
        "rank_first": row.first,
        "rank_last": row.last,
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
