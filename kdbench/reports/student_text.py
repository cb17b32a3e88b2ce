"""The table of students as text: for the terminal, for a README, for a spreadsheet, for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from kdbench.records.profile import Memory, Timing
from kdbench.reports.column import Column
from kdbench.reports.columns import NONE
from kdbench.reports.spreadsheet import csv_of
from kdbench.reports.student_table import StudentRow, StudentsTable
from kdbench.reports.text_table import Format, left_out, table_text, wrapped

DOUBLE_DAGGER = "‡"


def render_students(
    tables: list[StudentsTable], style: Format = "table", width: int | None = None, *, wide: bool = False
) -> str:
    """Times are medians with their interquartile ranges in brackets; `@32` is a batch of 32.

    Memory is the peak, with that of Python and torch without the student in brackets. Empty without tables. A `table`
    leaves out columns that do not fit into `width` characters, larger batches first, and names them; Markdown has at most nine
    columns. With `wide`, both have all.
    """
    if style == "json":
        return json.dumps([_plain(table) for table in tables], indent=1, ensure_ascii=False)
    if style == "csv":
        return _csv(tables)
    return "\n\n".join(_text(table, style, width, wide) for table in tables)


def columns(table: StudentsTable) -> list[Column[StudentRow]]:
    """Those that a table of these rows has, in their order. The last figures that a narrow terminal loses are size and latency
    of one input."""
    found: list[Column[StudentRow]] = [Column("student", lambda row: row.student + _mark(row), left=True)]
    parts = " / ".join([*table.parts, "total"])
    found.append(Column(f"params (M)\n{parts}", lambda row: " / ".join(map(three_digits, row.parameters.values()))))
    if table.parts:
        flops = f"GFLOPs\n{' / '.join(table.parts)}"
        found.append(Column(flops, lambda row: " / ".join(map(three_digits, row.gflops.values())), keep=6))
    smallest = min(table.batches, default=1)
    for key in dict.fromkeys(key for row in table.rows for key in row.latency):
        keep = 7 if key.endswith(f" @{smallest}") else 2
        found.append(Column(f"{key}\n(ms)", _latency(key), keep=keep))
    found.append(Column("memory, baseline\n(MB)", lambda row: _memory(row.memory), keep=3))
    found.append(Column("size\n(MB)", lambda row: three_digits(row.size_mb), keep=8))
    if any(row.search for row in table.rows):
        found.append(Column("search\n(ms)", lambda row: _time(row.search) if row.search else NONE, keep=4))
    found += [Column(name, _extra(name), keep=1) for name in sorted({name for row in table.rows for name in row.extra})]
    return found


def _latency(key: str) -> Callable[[StudentRow], str]:
    return lambda row: _time(row.latency[key])


def _extra(name: str) -> Callable[[StudentRow], str]:
    return lambda row: three_digits(row.extra[name]) if name in row.extra else NONE


def _text(table: StudentsTable, style: Format, width: int | None, wide: bool) -> str:
    text, dropped = table_text(columns(table), table.rows, style, width, wide)
    notes = [*(f"- {DOUBLE_DAGGER} unstable: {note}" for note in table.notes), *left_out(dropped, style)]
    title = f"**{table.title}**" if style == "markdown" else wrapped(table.title, style, width)
    return "\n\n".join([title, text, *(["\n".join(wrapped(note, style, width) for note in notes)] if notes else [])])


def _csv(tables: list[StudentsTable]) -> str:
    rows: list[dict[str, object]] = []
    for table in tables:
        for row in table.rows:
            flat: dict[str, object] = {name: getattr(table, name) for name in ("device", "host", "threads", "torch")}
            flat |= {"dataset": table.dataset, "gallery": table.gallery, "student": row.student}
            flat |= {f"{name} params (M)": value for name, value in row.parameters.items()}
            flat |= {f"{name} GFLOPs": value for name, value in row.gflops.items()}
            for name, timing in (row.latency | ({"search": row.search} if row.search else {})).items():
                flat |= {f"{name} (ms)": timing.median_ms, f"{name} IQR (ms)": timing.iqr_ms}
            memory = row.memory
            flat |= {"memory (MB)": memory.peak_mb if memory else None, "baseline (MB)": memory.baseline_mb if memory else None}
            flat |= {"memory kind": memory.kind if memory else None, "size (MB)": row.size_mb, **row.extra}
            rows.append(flat | {"unstable": "; ".join(row.unstable)})
    return csv_of(rows)


def _plain(table: StudentsTable) -> dict[str, object]:
    return json.loads(json.dumps(asdict(table), default=lambda value: value.model_dump()))  # type: ignore[no-any-return]


def _mark(row: StudentRow) -> str:
    return DOUBLE_DAGGER if row.unstable else ""


def _time(timing: Timing) -> str:
    return f"{three_digits(timing.median_ms)} ({three_digits(timing.iqr_ms)})"


def _memory(memory: Memory | None) -> str:
    return f"{three_digits(memory.peak_mb)} ({three_digits(memory.baseline_mb)})" if memory else NONE


def three_digits(value: float) -> str:
    """Three significant digits, no exponent: 0.00234, 1.23, 1,234."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    shown = f"{value:#.3g}"
    return shown.rstrip(".") if "e" not in shown else f"{value:.7f}".rstrip("0").rstrip(".")
