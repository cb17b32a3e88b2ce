"""The summary of students as text: for the terminal, for a README, for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from kdbench.contracts import Metric
from kdbench.reports.column import Column
from kdbench.reports.columns import NONE, figure
from kdbench.reports.student_text import DOUBLE_DAGGER, three_digits
from kdbench.reports.summary import Line, StudentCost, StudentLines, Summary
from kdbench.reports.text_table import Format, escaped, left_out, table_text, wrapped

LATENCY = "latency (ms)"
TITLE = "at a glance: the best row, the cheapest, and the one without distillation"


@dataclass(frozen=True)
class _Shown:
    """A line; only the first of its student shows what is the student's."""

    student: StudentLines
    line: Line
    first: bool


def render_summary(summary: Summary, style: Format = "table", width: int | None = None, *, wide: bool = False) -> str:
    """The headline with its interval, other metrics without; see `render` for widths."""
    rows = [_Shown(student, line, first=place == 0) for student in summary.students for place, line in enumerate(student.lines)]
    text, dropped = table_text(columns(summary), rows, style, width, wide)
    notes = [f"- {escaped(note, style)}" for note in [*_notes(summary, timed=LATENCY not in dropped), *summary.notes]]
    title = f"{summary.what.capitalize()}s {TITLE}"
    title = f"**{title}**" if style == "markdown" else wrapped(title, style, width)
    told = "\n".join(wrapped(note, style, width) for note in [*notes, *left_out(dropped, style)])
    return "\n\n".join([title, text, told])


def columns(summary: Summary) -> list[Column[_Shown]]:
    """Student, row and headline are never left out; costs are those of known profiles."""
    found = [
        Column[_Shown](summary.what, lambda one: _name(one.student) if one.first else "", left=True, narrow=12),
        Column[_Shown]("row", lambda one: one.line.label, left=True, narrow=18),
        *(Column(metric.label, _mean(metric), keep=8) for metric in summary.beside),
        _headline(summary.headline),
    ]
    return [*found, *_costs(summary)]


def plain_summary(summary: Summary) -> dict[str, Any]:
    """As JSON values; rows by the ids that they have in their tables."""
    students = [
        {
            "student": student.name,
            "table": student.lines[0].table.id,
            "rows": [{"id": line.row.id, "kinds": list(line.kinds)} for line in student.lines],
            "cost": asdict(student.cost) if student.cost else None,
        }
        for student in summary.students
    ]
    metrics = [metric.name for metric in (*summary.beside, summary.headline)]
    return {"metrics": metrics, "latency": summary.latency, "students": students}


def _name(student: StudentLines) -> str:
    return student.name + (DOUBLE_DAGGER if student.cost and student.cost.unstable else "")


def _mean(metric: Metric) -> Callable[[_Shown], str]:
    return lambda one: metric.text(one.line.row.values[metric.name].mean) if metric.name in one.line.row.values else NONE


def _headline(metric: Metric) -> Column[_Shown]:
    return Column(metric.label, lambda one: figure(one.line.row.value, metric), bold=lambda one: one.line.row.bold)


def _costs(summary: Summary) -> Iterator[Column[_Shown]]:
    def shown(read: Callable[[StudentCost], float | None]) -> Callable[[_Shown], str]:
        def text(one: _Shown) -> str:
            value = read(one.student.cost) if one.student.cost else None
            return "" if not one.first else NONE if value is None else three_digits(value)

        return text

    if not any(student.cost for student in summary.students):
        return
    yield Column("params\n(M)", shown(lambda cost: cost.parameters), keep=7)
    yield Column("GFLOPs", shown(lambda cost: cost.gflops), keep=4)
    if summary.latency:
        yield Column(LATENCY.replace(" ", "\n"), shown(lambda cost: cost.latency), keep=6)
    yield Column("size\n(MB)", shown(lambda cost: cost.size_mb), keep=5)


def _notes(summary: Summary, timed: bool) -> Iterator[str]:
    """`timed`: the latency is shown."""
    yield f"{summary.headline.label} with half of its 95 % interval over seeds and test units"
    if summary.latency and timed:
        yield summary.latency
    if summary.unstable:
        yield f"{DOUBLE_DAGGER} timings may not be repeatable"
