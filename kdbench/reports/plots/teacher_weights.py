"""How much each teacher counts as training goes on, a panel for each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.reports.board import Row, Table
from kdbench.reports.plots.labels import clean, common_team, elided, file_part, row_labels
from kdbench.reports.plots.model import Axis, Level, Line, Panel, Plot, line_of

PANELS = 24  # of one plot
QUESTION = "How much does each teacher count as training goes on?"


@dataclass(frozen=True)
class Weighed:
    """A row's weights: `step` [W], and by teacher the `columns` [S, W] of the seeds that have a trace."""

    row: Row
    step: list[int]
    columns: dict[str, NDArray[np.float64]]

    @property
    def seeds(self) -> int:
        """How many runs have a trace."""
        return len(next(iter(self.columns.values())))

    @property
    def seen(self) -> str:
        """Of how many seeds, if not of all."""
        runs = len(self.row.runs)
        return "" if self.seeds == runs else f" ({self.seeds} of {runs} {'runs' if self.row.folds else 'seeds'})"


def teacher_weights(table: Table) -> list[Plot]:
    """None if no row has two teachers and a trace. Raises RecordError if a trace cannot be read."""
    found = [weighed for row in table.rows if (weighed := weights_of(row)) is not None]
    parts = [found[start : start + PANELS] for start in range(0, len(found), PANELS)]
    return [_plot(table, part, found, number, len(parts)) for number, part in enumerate(parts, 1)]


def weights_of(row: Row) -> Weighed | None:
    """Of the runs with a trace, at the steps of the first of them; None for fewer than two teachers or without any trace."""
    if len(row.team) < 2:
        return None
    traces = [trace for run in row.runs if len((trace := run.trace()).weights) > 1]
    if not traces:
        return None
    first = traces[0]
    alike = [one for one in traces if one.step == first.step and list(one.weights) == list(first.weights)]
    columns = {name: np.array([one.weights[name] for one in alike], dtype=float) for name in first.weights}
    return Weighed(row, list(first.step), columns)


def _plot(table: Table, part: Sequence[Weighed], every: Sequence[Weighed], number: int, of: int) -> Plot:
    """Panels in the table's order. Teachers keep their colours over all plots of a table, `every` one of its rows."""
    more = f" ({number} of {of})" if of > 1 else ""
    teachers = list(dict.fromkeys(name for one in every for name in one.columns))
    values = [value for one in every for column in one.columns.values() for value in (column.min(), column.max())]
    shares = min(values) >= 0 and max(values) <= 1 + 1e-6  # other weights have scales of their own
    y = Axis("weight", low=-0.04, high=1.04, ticks=(0, 0.5, 1)) if shares else Axis("weight")
    rows = [one.row for one in part]
    names, team = row_labels(rows, 30), common_team(rows)
    length = part[0].step[0]
    windows = "" if length == 1 else f" A point is the mean of {length} steps."
    return Plot(
        stem="-".join(filter(None, ["weights", file_part(table.dataset), table.id, str(number) if number > 1 else ""])),
        title=f"{table.title}{more}",
        question=QUESTION,
        alt=_describe(table, part) + more,
        panels=tuple(_panel(one, names[one.row.id] + one.seen, teachers, y, table.headline) for one in part),
        data=_plotted(table, part),
        about=(
            f"{table.title}{f' · strategies of {team}' if team else ''}{more}",
            f"Best first: each panel has its {table.headline.label} on the right.{windows}",
        ),
        intervals="lowest to highest of the seeds, the line their mean" if max(one.seeds for one in part) > 1 else "",
    )


def _panel(one: Weighed, title: str, teachers: Sequence[str], y: Axis, metric: Metric) -> Panel:
    lines = []
    for name, values in one.columns.items():
        low, high = (tuple(ends.tolist()) if one.seeds > 1 else () for ends in (values.min(axis=0), values.max(axis=0)))
        means = tuple(values.mean(axis=0).tolist())
        lines.append(Line(elided(name, 30), tuple(map(float, one.step)), means, low, high, place=teachers.index(name)))
    return Panel(
        x=Axis("step"),
        y=y,
        title=title,
        corner=metric.text(one.row.values[metric.name].mean),
        lines=tuple(lines),
        levels=(Level(1 / len(one.columns), "equal share", named=False),),
    )


def _plotted(table: Table, part: Sequence[Weighed]) -> str:
    """The means over seeds, to three digits."""
    lines = [f"weights {table.id}", clean(table.title)]
    for one in part:
        name = f"{one.row.id} {clean(one.row.name)}"
        lines.append(line_of(name, seeds=one.seeds, steps=f"{one.step[0]}..{one.step[-1]}", windows=len(one.step)))
        for teacher, values in one.columns.items():
            low, high = (" ".join(f"{value:.3f}" for value in ends) for ends in (values.min(axis=0), values.max(axis=0)))
            means = " ".join(f"{value:.3f}" for value in values.mean(axis=0))
            lines.append(f"  {clean(teacher)} mean {means}; lowest {low}; highest {high}")
    return "\n".join(lines)


def _describe(table: Table, part: Sequence[Weighed]) -> str:
    names = row_labels([one.row for one in part], 40)
    best = part[0]
    ends = ", ".join(f"{elided(name, 30)} {values[:, -1].mean():.2f}" for name, values in best.columns.items())
    panels = f"{len(part)} strateg{'ies' if len(part) != 1 else 'y'}"
    return f"Weights of the teachers over training on {clean(table.title)}, {panels}; {names[best.row.id]} ends on {ends}."
