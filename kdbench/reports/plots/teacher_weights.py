"""How much each teacher counts as training goes on, a panel a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from kdbench.reports.board import Row, Table
from kdbench.reports.figures.names import clean, common_team, elided, labels, slug, wrapped
from kdbench.reports.figures.picture import Picture, line
from kdbench.reports.figures.style import WIDTH, headed, legend
from kdbench.reports.palette import COLOURS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Dashes = Literal["-", "--", "-."]
PANELS, COLUMNS = 24, 3  # a figure
QUESTION = "How much does each teacher count as training goes on?"


@dataclass(frozen=True)
class Weighed:
    """A row's weights: `step` [W], and by teacher the `columns` [S, W] of the seeds that have a series."""

    row: Row
    step: list[int]
    columns: dict[str, Floats]

    @property
    def seeds(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def seen(self) -> str:
        """Of how many seeds, where not of all."""
        return "" if self.seeds == len(self.row.runs) else f" ({self.seeds} of {len(self.row.runs)} seeds)"


def weight_pictures(table: Table) -> list[Picture]:
    """None where no row has two teachers and a series. Raises RecordError where a series cannot be read."""
    found = [weighed for row in table.rows if (weighed := weights_of(row)) is not None]
    parts = [found[start : start + PANELS] for start in range(0, len(found), PANELS)]
    made = []
    for number, part in enumerate(parts, 1):
        more = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        stem = "-".join(filter(None, ["weights", slug(table.dataset), table.id, str(number) if number > 1 else ""]))
        paint = partial(figure_of, table, part, found, more)
        made.append(Picture(stem, clean(table.title) + more, describe(table, part) + more, plotted(table, part), paint))
    return made


def weights_of(row: Row) -> Weighed | None:
    """Of the runs with a series, at the steps of the first of them; None of fewer than two teachers or without any."""
    if len(row.team) < 2:
        return None
    series = [columns for run in row.runs if len((columns := run.series()).get("weights", {})) > 1]
    if not series:
        return None
    first = series[0]
    alike = [one for one in series if one["step"] == first["step"] and list(one["weights"]) == list(first["weights"])]
    columns = {name: np.array([one["weights"][name] for one in alike], dtype=float) for name in first["weights"]}
    return Weighed(row, list(first["step"]), columns)


def plotted(table: Table, part: Sequence[Weighed]) -> str:
    """What is drawn, as text: the means over seeds, to three digits."""
    lines = [f"weights {table.id}", clean(table.title)]
    for one in part:
        name = f"{one.row.id} {clean(one.row.name)}"
        lines.append(line(name, seeds=one.seeds, steps=f"{one.step[0]}..{one.step[-1]}", windows=len(one.step)))
        for teacher, values in one.columns.items():
            low, high = (" ".join(f"{value:.3f}" for value in ends) for ends in (values.min(axis=0), values.max(axis=0)))
            means = " ".join(f"{value:.3f}" for value in values.mean(axis=0))
            lines.append(f"  {clean(teacher)} mean {means}; lowest {low}; highest {high}")
    return "\n".join(lines)


def describe(table: Table, part: Sequence[Weighed]) -> str:
    """Alt text."""
    names = labels([one.row for one in part], 40)
    best = part[0]
    ends = ", ".join(f"{elided(name, 30)} {values[:, -1].mean():.2f}" for name, values in best.columns.items())
    panels = f"{len(part)} strateg{'ies' if len(part) != 1 else 'y'}"
    return f"Weights of the teachers over training on {clean(table.title)}, {panels}; {names[best.row.id]} ends on {ends}."


def figure_of(table: Table, part: Sequence[Weighed], every: Sequence[Weighed], more: str) -> Figure:
    """Panels in the table's order. Teachers keep their colours over all figures of a table, `every` of its rows."""
    from matplotlib.figure import Figure

    teachers = list(dict.fromkeys(name for one in every for name in one.columns))
    columns = min(COLUMNS, len(part))
    count = -(-len(part) // columns)
    figure = Figure(figsize=(WIDTH, 1.6 + 1.35 * count), layout="constrained")
    values = [value for one in every for column in one.columns.values() for value in (column.min(), column.max())]
    shares = min(values) >= 0 and max(values) <= 1 + 1e-6  # other weights have scales of their own
    grid = figure.subplots(count, columns, squeeze=False, sharex=True, sharey=shares).ravel()
    names = labels([one.row for one in part], 30)
    for axes, one in zip(grid, part, strict=False):
        _paint(axes, one, teachers)
        if shares:
            axes.set_ylim(-0.04, 1.04)
            axes.set_yticks([0, 0.5, 1])
        axes.set_title(names[one.row.id] + one.seen, loc="left", fontsize=8, fontweight="bold", parse_math=False)
        axes.set_title(f"{one.row.values['rsum'].mean:.1f}", loc="right", fontsize=8, color=GREY)
    for place, axes in enumerate(grid):
        axes.set_visible(place < len(part))
        if place % columns == 0:
            axes.set_ylabel("weight")
        if place + columns >= len(part):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("step")
    team = common_team([one.row for one in part])
    about = f"{table.title}{f' · strategies of {team}' if team else ''}{more}"
    headed(figure, [QUESTION, *wrapped(about, 125), f"Best first: each panel has its RSUM on the right. {_windows(part[0])}"])
    _explain(figure, teachers, most=max(one.seeds for one in part))
    return figure


def _paint(axes: Axes, one: Weighed, teachers: Sequence[str]) -> None:
    axes.axhline(1 / len(one.columns), color=GREY, linestyle=":", linewidth=1)
    for name, values in one.columns.items():
        colour, style = _look(teachers.index(name))
        if one.seeds > 1:
            axes.fill_between(one.step, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.22, linewidth=0)
        axes.plot(one.step, values.mean(axis=0), color=colour, linestyle=style, linewidth=1.6)


def _windows(one: Weighed) -> str:
    length = one.step[0]
    return "" if length == 1 else f"A point is the mean of {length} steps."


def _look(place: int) -> tuple[str, Dashes]:
    """Colour and dashes: told apart without colour too."""
    dashes: tuple[Dashes, ...] = ("-", "--", "-.")
    return COLOURS[place % len(COLOURS)], dashes[place % len(dashes)]


def _explain(figure: Figure, teachers: Sequence[str], most: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries = []
    for place, name in enumerate(teachers):
        colour, style = _look(place)
        entries.append((Line2D([], [], color=colour, linestyle=style, linewidth=1.6), elided(name, 30)))
    entries.append((Line2D([], [], color=GREY, linestyle=":", linewidth=1), "equal share"))
    band = [(Patch(color=GREY, alpha=0.3), "lowest to highest of the seeds, the line their mean")] if most > 1 else []
    legend(figure, [*entries, *band], 5)
