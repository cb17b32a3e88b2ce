"""A plane of one student: its rows cost the same, so what is left to compare is how well each retrieves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.reports.figures.names import clean, labels
from kdbench.reports.figures.style import WIDTH, bare, legend
from kdbench.reports.palette import BLACK, BLUE, LIGHT, SKY
from kdbench.reports.pareto import Plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = "At one cost, which row retrieves best?"
LOOKS = {"front": (BLUE, "D", "highest mean"), "open": (SKY, "o", "may be as good"), "behind": (LIGHT, "s", "surely behind")}


def figure_of(plane: Plane) -> Figure:
    """Rows side by side, the best on the left, each named below."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = [point.row for point in plane.points]
    several = len({row.student for row in rows}) > 1
    figure = Figure(figsize=(max(WIDTH, 2 + 0.25 * len(rows)), 5.2), layout="constrained")
    axes = figure.subplots()
    for place, point in enumerate(plane.points):
        colour, marker, _ = LOOKS[point.standing]
        axes.plot([place, place], [point.value.low, point.value.high], color=colour, linewidth=1.5, zorder=2)
        axes.plot([place], [point.value.mean], color=colour, marker=marker, markersize=6, zorder=3)
    names = labels(rows, 34, student=several)
    axes.set_xticks(range(len(rows)), [names[row.id] for row in rows], parse_math=False)
    for label in axes.get_xticklabels():
        label.set(rotation=25 if len(rows) <= 10 else 50, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.7, len(rows) - 0.3)
    bare(axes, "x")
    axes.set_xlabel(
        f"all at the same cost, {plane.points[0].cost:.3g} ({clean(plane.cost)}): side by side, best first", parse_math=False
    )
    paired = "" if several else " (tested in pairs, so bars may overlap)"
    met = {point.standing for point in plane.points}
    entries = [
        (Line2D([], [], color=colour, marker=marker, linewidth=1.5), words + (paired if name == "behind" else ""))
        for name, (colour, marker, words) in LOOKS.items()
        if name in met
    ]
    bars = (Line2D([], [], color=BLACK, marker="|", markersize=9, linestyle=""), "bars: 95 % intervals")
    legend(figure, [*entries, bars], 4)
    return figure
