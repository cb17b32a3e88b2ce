"""How far the seeds of each row spread, against what separates the rows of a table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kdbench.reports.board import Row, Table
from kdbench.reports.figures.names import clean, common_team, labels, slug, wrapped
from kdbench.reports.figures.picture import Picture, line
from kdbench.reports.figures.style import WIDTH, bare, headed, legend
from kdbench.reports.palette import BLUE, GREY, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUESTION = "How far do the seeds spread, and which rows differ by more than chance?"


def seed_picture(table: Table) -> Picture:
    """A row of dots for each row of the table."""
    stem = "-".join(filter(None, ["seeds", slug(table.dataset), table.id]))
    return Picture(stem, clean(table.title), describe(table), plotted(table), partial(figure_of, table))


def plotted(table: Table) -> str:
    """What is drawn, as text."""
    lines = [f"seeds {table.id}", clean(table.title)]
    for row in table.rows:
        value = row.values["rsum"]
        seeds = {f"seed{seed}": rsum for seed, rsum in row.by_seed.items()}
        lines.append(
            line(f"{row.id} {clean(row.name)}", group=row.group, mean=value.mean, low=value.low, high=value.high, **seeds)
        )
    return "\n".join(lines)


def describe(table: Table) -> str:
    """Alt text."""
    best, groups = table.rows[0], len({row.group for row in table.rows})
    count = f"{len(table.rows)} row{'s' if len(table.rows) != 1 else ''} in {groups} tie group{'s' if groups != 1 else ''}"
    mean = best.values["rsum"].mean
    return f"RSUM of each seed on {clean(table.title)}: {count}, {clean(best.name)} has the highest mean, {mean:.1f}."


def figure_of(table: Table) -> Figure:
    """Rows in the table's order, the best at the top; bands behind rows of odd groups."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = table.rows
    figure = Figure(figsize=(WIDTH, 1.9 + 0.235 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        _paint(axes, place, row)
    names = labels(rows, 40)
    axes.set_yticks(range(len(rows)), [f"{names[row.id]}   {row.group}" for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    bare(axes, "y")
    axes.set_title("tie group  ", loc="left", x=0, ha="right", fontsize=8, color=GREY)
    axes.set_xlabel(f"RSUM, sum of R@{', '.join(map(str, table.recall_at))} both ways, in percent (not from 0)")
    team = common_team(rows)
    headed(figure, [QUESTION, *wrapped(table.title + (f" · strategies of {team}" if team else ""), 125)])
    seed = Line2D([], [], linestyle="", marker="o", markersize=5, markerfacecolor="none", color=RED)
    mean = Line2D([], [], marker="D", markersize=4, color=BLUE, linewidth=1.5)
    band = Patch(facecolor=GREY, alpha=0.13)
    meaning = "mean, 95 % interval over seeds and test images"
    legend(figure, [(seed, "one seed"), (mean, meaning), (band, "rows of a group tie with its first row")], 3)
    return figure


def _paint(axes: Axes, place: int, row: Row) -> None:
    if row.group % 2:
        axes.axhspan(place - 0.5, place + 0.5, color=GREY, alpha=0.13, linewidth=0, zorder=0)
    value, seeds = row.values["rsum"], list(row.by_seed.values())
    axes.plot([value.low, value.high], [place, place], color=BLUE, linewidth=1.5, zorder=2)
    axes.plot([value.mean], [place], marker="D", markersize=4, color=BLUE, zorder=3)
    axes.plot(seeds, [place] * len(seeds), linestyle="", marker="o", markersize=5, markerfacecolor="none", color=RED, zorder=4)
