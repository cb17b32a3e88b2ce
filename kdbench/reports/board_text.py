"""A leaderboard as text: for the terminal and for a README; `board_plain` has its other formats."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Table
from kdbench.reports.board_plain import csv_text, plain
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
        return csv_text(board)
    if not board.tables:
        return "\n".join(["No finished runs.", *board.notes])
    parts = [part for table in board.tables if (part := _text(table, style, width, wide, names))]
    notes = [wrapped(f"- {escaped(note, style)}", style, width) for note in board.notes]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


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
