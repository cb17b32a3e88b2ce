"""Paints a plot with matplotlib: size, heading, legend, and labels that do not overlap."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from kdbench.reports.palette import GREY, LIGHT
from kdbench.reports.plots.labels import elided, wrapped
from kdbench.reports.plots.model import Panel, Plot
from kdbench_plugins.reports.figures.label_layout import apart, label
from kdbench_plugins.reports.figures.legend_entries import legend_entries
from kdbench_plugins.reports.figures.matplotlib_style import WIDTH, headed, laid_out, legend
from kdbench_plugins.reports.figures.panel_painter import ABOVE, BAR, MARK, paint_panel
from kdbench_plugins.reports.figures.reference_lines import include, name_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # of panels
TEXT = 125  # characters per line of the heading


def paint(plot: Plot) -> Figure:
    """The finished figure. Call this, and save its result, within `matplotlib_style.settings`."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(plot.panels))
    rows = -(-len(plot.panels) // columns)
    figure = Figure(figsize=_size(plot, rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=len(plot.panels) > 1).ravel()
    for axes, panel in zip(grid, plot.panels, strict=False):
        paint_panel(axes, panel)
    for place, axes in enumerate(grid):
        axes.set_visible(place < len(plot.panels))
        if place % columns:
            axes.set_ylabel("")
            axes.tick_params(labelleft=place < len(plot.panels) and not _shares_y(plot, place))
        if place + columns < len(plot.panels):
            axes.set_xlabel("")
        else:
            axes.tick_params(labelbottom=True)
    headed(figure, [plot.question, *(line for text in plot.about for line in wrapped(text, TEXT))])
    if entries := legend_entries(plot):
        legend(figure, entries, 4)
    for axes, panel in zip(grid, plot.panels, strict=False):
        _name(figure, axes, panel)
    return figure


def _shares_y(plot: Plot, place: int) -> bool:
    """Whether a panel's y axis says no more than that of the first one."""
    own, first = plot.panels[place].y, plot.panels[0].y
    return own.low is not None or (bool(own.names) and own.names == first.names)


def _size(plot: Plot, rows: int) -> tuple[float, float]:
    """Width and height in inches."""
    first = plot.panels[0]
    if first.kinds:
        return WIDTH, 5.6 + 0.09 * len(first.kinds)
    if first.x.names:
        return max(WIDTH, 2 + 0.25 * len(first.x.names)), 5.2
    if first.y.names:
        return WIDTH, 1.9 + 0.235 * len(first.y.names) * rows
    return WIDTH, 1.6 + 1.35 * rows


def _name(figure: Figure, axes: Axes, panel: Panel) -> None:
    """Labels levels, marks and positions. Labels are placed in pixels, so the figure is laid out before each."""
    if panel.values == "y" and any(mark.low is not None for mark in panel.marks):
        shown = include(axes, panel)
        laid_out(figure)
        name_lines(axes, shown)
    if panel.above:
        name_above(axes, panel)
        laid_out(figure)  # labels outside the axes have made these smaller
    if any(mark.name for mark in panel.marks):
        name_marks(axes, panel)


def name_marks(axes: Axes, panel: Panel) -> None:
    """Writes names beside marks without covering marks, bars or the front."""
    from matplotlib.transforms import Bbox

    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    worst: dict[float, float] = {BAR: 1.0, MARK: 3.0, ABOVE: 20.0}  # cost of covering one
    taken = [
        (Bbox(artist.get_window_extent(renderer).get_points()).padded(1), worst[artist.get_zorder()])
        for artist in axes.lines
        if artist.get_zorder() in worst
    ]
    for line in panel.lines:
        places = [axes.transData.transform((x, y)) for x, y in zip(line.x, line.y, strict=True) if y is not None]
        for (x, y), (after, above) in pairwise(places):
            taken += [(Bbox([[x, y], [after, y]]).padded(2), 2.0), (Bbox([[after, y], [after, above]]).padded(2), 2.0)]
    named = [(mark.x, mark.y, mark.name) for mark in panel.marks if mark.name and mark.x is not None and mark.y is not None]
    label(axes, named, taken)


def name_above(axes: Axes, panel: Panel) -> None:
    """Writes names above the axes at their positions, moved apart if they would touch. Lay out the figure first."""
    size = axes.figure.dpi / 72
    at = [float(axes.transData.transform((place, 0))[0]) for place, _ in panel.above]
    for (place, name), here, there in zip(panel.above, at, apart(at, 24 * size), strict=True):
        axes.axvline(place, color=LIGHT, linewidth=0.8, zorder=0)
        axes.annotate(
            elided(name, 22),
            (place, 1),
            ((there - here) / size, 4),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            rotation=25,
            rotation_mode="anchor",
            fontsize=8,
            color=GREY,
            parse_math=False,
        )
