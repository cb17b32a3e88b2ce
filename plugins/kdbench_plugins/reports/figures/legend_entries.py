"""The entries of a plot's legend: kinds or roles, lines, unnamed levels, then the meaning of bars, bands and stripes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdbench.reports.palette import BLACK, GREY, LIGHT, LOOKS
from kdbench.reports.plots.labels import clean, elided
from kdbench.reports.plots.model import Panel, Plot, Points, series_drawn
from kdbench_plugins.reports.figures.panel_painter import BAND, STRIPE, kind_looks, line_look

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D

Entry = tuple["Artist", str]


def legend_entries(plot: Plot) -> list[Entry]:
    """The entries in order; none if there is one alone. All panels of a plot have the same kinds and levels."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Entry] = []
    entries += _kinds(plot.panels[0]) if plot.panels[0].kinds else _roles(plot.panels)
    lines = {line.label: line for panel in plot.panels for line in panel.lines}
    for line in sorted(lines.values(), key=lambda line: line.place):
        colour, dashes = line_look(line)
        entries.append((Line2D([], [], color=colour, linestyle=dashes, linewidth=1.5), clean(line.label)))
    for name in dict.fromkeys(level.name for panel in plot.panels for level in panel.levels if not level.named):
        entries.append((Line2D([], [], color=GREY, linestyle=":", linewidth=1), name))
    if plot.intervals:
        shade = Patch(facecolor=GREY, alpha=BAND)
        bar = Line2D([], [], color=BLACK, marker="|", markersize=9, linestyle="")
        entries.append((shade if lines else bar, plot.intervals))
    if plot.striped:
        entries.append((Patch(facecolor=GREY, alpha=STRIPE), plot.striped))
    if any(panel.kinds and points.role == "behind" and points.marks for panel in plot.panels for points in panel.points):
        entries.append((Line2D([], [], linestyle="", marker="o", color=LIGHT), "pale: significantly worse"))
    return entries if len(entries) > 1 else []


def _kinds(panel: Panel) -> Iterator[Entry]:
    from matplotlib.lines import Line2D

    looks = kind_looks(panel)
    for kind in panel.kinds:
        colour, marker = looks[kind]
        yield Line2D([], [], linestyle="", markersize=7, color=colour, marker=marker), elided(kind, 26)


def _roles(panels: Sequence[Panel]) -> Iterator[Entry]:
    for points in series_drawn(panels):
        if points.label:
            yield _sample(points), points.label


def _sample(points: Points) -> Line2D:
    from matplotlib.lines import Line2D

    role = LOOKS[points.role]
    width = 1.5 if any(mark.low is not None for mark in points.marks) else 0.0
    drawn = Line2D([], [], linewidth=width, color=role.colour, marker=role.marker or "None", markersize=5)
    if role.hollow:
        drawn.set_markerfacecolor("none")
    return drawn
