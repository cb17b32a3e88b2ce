"""A leaderboard as text: for the terminal, for a README, for a spreadsheet, for a program."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, get_args

from tabulate import tabulate

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.columns import DAGGER, ONE_SEED, Column, columns, fitting

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
WHAT = "mean ± half of the 95 % interval over seeds and test units"


def render(board: Board, style: Format = "table", width: int | None = None) -> str:
    """Tables with a column for each metric that their task shows, in its unit.

    With a `width`, a `table` leaves out columns that do not fit into that many characters, names them, and wraps its text.
    """
    if style == "json":
        return json.dumps(plain(board), indent=1, ensure_ascii=False)
    if style == "csv":
        return _csv(board)
    if not board.tables:
        return "\n".join(["No finished runs.", *board.notes])
    parts = [_text(table, style, width) for table in board.tables]
    notes = [wrapped(f"- {_cell(note, style)}", style, width) for note in board.notes]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def plain(board: Board) -> dict[str, Any]:
    """As JSON values."""
    return {"tables": [_plain_table(table, board.transfers) for table in board.tables], "notes": board.notes}


def _text(table: Table, style: Format, width: int | None) -> str:
    markdown = style == "markdown"
    rows = [*table.references, *table.rows]
    shown, dropped = fitting(columns(table), rows, None if markdown else width)
    text = tabulate(
        [[_shown(column, row, style) for column in shown] for row in rows],
        headers=[column.name for column in shown],
        tablefmt="github" if markdown else "simple",
        colalign=["left" if column.left else "right" for column in shown],
        disable_numparse=True,
    )
    title = _cell(table.title, style)
    head = [f"**{title}**" if markdown else title, _cell(table.sentence, style)]
    notes = [f"- {_cell(note, style)}" for note in _notes(table, rows)]
    notes += [f"- left out to fit: {', '.join(dropped)}; --format csv has all"] if dropped else []
    parts = [*(wrapped(line, style, width) for line in head), text]
    return "\n\n".join([*parts, "\n".join(wrapped(note, style, width) for note in notes)])


def wrapped(text: str, style: Format, width: int | None) -> str:
    """Prose in lines of at most `width` characters for a terminal; items of a list keep their indent."""
    if style != "table" or width is None:
        return text
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _shown(column: Column[Row], row: Row, style: Format) -> str:
    text = _cell(column.text(row), style)
    return f"**{text}**" if style == "markdown" and row.bold and column.headline else text


def _notes(table: Table, rows: list[Row]) -> list[str]:
    """What a reader has to know of the table's signs, and what it lacks."""
    notes = [f"{table.split}; {WHAT}; rank: the possible ranks, all pairs tested (Holm, 5 %); n: seeds"]
    if units := _units(table.shown):
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


def _cell(text: str, style: Format) -> str:
    return text.replace("|", r"\|") if style == "markdown" else text


def _csv(board: Board) -> str:
    import pandas as pd  # only here: half a second that the other formats need not pay

    rows = []
    for table in board.tables:
        whole = _plain_table(table, board.transfers)
        both = ("dataset", "trained_on") if board.transfers else ("dataset",)
        common = {name: whole[name] for name in (*both, "digest", "student", "budget", "tuning")}
        for row in [*whole["references"], *whole["rows"]]:
            flat = {**common, **row} | {"seeds": len(row["runs"])}
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
    task = {"task": table.protocol.task.plain, "headline": table.headline.name, "metrics": list(map(asdict, table.metrics))}
    rows = {"references": list(map(_plain_row, table.references)), "rows": list(map(_plain_row, table.rows))}
    decided = {"verdict": table.sentence, "decision": asdict(table.verdict)}
    return {name: getattr(table, name) for name in names} | task | decided | rows | {"better": table.better.tolist()}


def _plain_row(row: Row) -> dict[str, Any]:
    names = ("id", "name", "variant", "teachers", "strategy", "group", "bold")
    return {name: getattr(row, name) for name in names} | {
        "rank_first": row.first,
        "rank_last": row.last,
        "model": row.student if row.reference else "",
        "parameters": row.spec.strategy.params if row.spec.strategy else {},
        "reconstructions": list(row.reconstructions),
        "runs": [run.record.run_id for run in row.runs],
        "by_seed": row.by_seed,
        "values": {name: asdict(value) for name, value in row.values.items()},
        "weights": row.weights,
        "cost": asdict(row.cost),
    }
