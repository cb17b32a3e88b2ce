"""A leaderboard as text: for the terminal, for a README, for a spreadsheet, for a program."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal, get_args

from tabulate import tabulate

from kdbench.leaderboard.tables import Board, Row, Table, Value

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
DAGGER = "†"


def render(board: Board, style: Format = "table") -> str:
    """Columns `t2i` are texts retrieving images, `i2t` images retrieving texts; R@K in percent, RSUM their sum."""
    if style == "json":
        return json.dumps(asdict(board), indent=1, ensure_ascii=False)
    if style == "csv":
        return _csv(board)
    if not board.tables:
        return "\n".join(["No finished runs.", *board.notes])
    parts = [_text(table, style) for table in board.tables]
    notes = [f"- {note}" for note in board.notes]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def _columns(table: Table) -> dict[str, str]:
    """Header → metric."""
    t2i = {f"t2i R@{k}": f"image_retrieval_recall@{k}" for k in table.recall_at}
    i2t = {f"i2t R@{k}": f"text_retrieval_recall@{k}" for k in table.recall_at}
    return t2i | i2t | {"RSUM": "rsum"}


def _text(table: Table, style: Format) -> str:
    columns = _columns(table)
    varied = any(row.variant for row in table.rows)
    rows = [
        [
            *([row.variant] if varied else []),
            row.student + _mark(row, row.student),
            row.teachers,
            row.strategy + _mark(row, row.strategy),
            row.seeds,
            *(_show(row.values[m]) for m in columns.values()),
            _weights(row),
        ]
        for row in table.rows
    ]
    headers = [*(["variant"] if varied else []), "student", "teachers", "strategy", "n", *columns, "mean weights"]
    title = f"**{table.title}**" if style == "markdown" else table.title
    align = ["left"] * (3 + varied) + ["right"] * (len(columns) + 1) + ["left"]
    text = tabulate(
        [[str(cell).replace("|", r"\|") for cell in row] for row in rows] if style == "markdown" else rows,
        headers=headers,
        tablefmt="github" if style == "markdown" else "simple",
        colalign=align,
        disable_numparse=True,
    )
    return f"{title}\n\n{text}{_reconstruction_note(table)}"


def _mark(row: Row, label: str) -> str:
    return DAGGER if label in row.reconstructions else ""


def _reconstruction_note(table: Table) -> str:
    labels = sorted({label for row in table.rows for label in row.reconstructions})
    if not labels:
        return ""
    note = f"{DAGGER} reconstruction, as its source leaves something open: {', '.join(labels)}"
    return f"\n\n{note}"


def _csv(board: Board) -> str:
    import pandas as pd  # only here: half a second that the other formats need not pay

    rows = []
    for table in board.tables:
        for row in table.rows:
            flat: dict[str, object] = {
                "dataset": table.dataset,
                "dataset_digest": table.digest,
                "budget": table.budget,
                "variant": row.variant,
                "student": row.student,
                "teachers": row.teachers,
                "strategy": row.strategy,
                "reconstructions": ", ".join(row.reconstructions),
                "n": row.seeds,
            }
            for name, value in row.values.items():
                flat[f"{name} mean"], flat[f"{name} std"] = value.mean, value.std
            rows.append(flat)
    return str(pd.DataFrame(rows).to_csv(index=False)).rstrip("\n")


def _show(value: Value) -> str:
    return f"{value.mean:.1f}" if value.std is None else f"{value.mean:.1f} ± {value.std:.1f}"


def _weights(row: Row) -> str:
    if len(row.weights) < 2:
        return ""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in row.weights.items())
