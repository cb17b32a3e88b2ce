"""Paints one panel of a plot on matplotlib's axes: marks, lines, bars, stripes, ticks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdbench.reports.palette import BLACK, GREY, LOOKS
from kdbench.reports.plots.labels import clean
from kdbench.reports.plots.model import Axis, Line, Mark, Panel, Points
from kdbench_plugins.reports.figures.matplotlib_style import Dashes, bare, look, stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAR, MARK, ABOVE = 2, 4, 6  # drawing order
FAINT = 0.45  # opacity of marks that are significantly worse, if colours stand for kinds
BAND, STRIPE = 0.2, 0.13

Looks = Mapping[str, tuple[str, str]]


def paint_panel(axes: Axes, panel: Panel) -> None:
    """Paints everything but labels, which need the layout."""
    _axis(axes, panel.x, "x")
    _axis(axes, panel.y, "y")
    for place in panel.stripes:
        axes.axhspan(place - 0.5, place + 0.5, color=GREY, alpha=STRIPE, linewidth=0, zorder=0)
    if panel.zero:
        axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for level in panel.levels:
        if not level.named:
            axes.axhline(level.value, color=GREY, linestyle=":", linewidth=1)
    kinds = kind_looks(panel)
    for points in panel.points:
        for mark in points.marks:
            _mark(axes, panel, points, mark, kinds)
    if panel.kinds:
        _widen(axes, panel)
    for line in panel.lines:
        _line(axes, line)
    if panel.bars:
        lengths = [_figure(value) for value in panel.bars.values]
        axes.barh(range(len(lengths)), lengths, 0.6, color=LOOKS[panel.bars.role].colour)
    if panel.title:
        axes.set_title(clean(panel.title), loc="left", fontsize=8, fontweight="bold", parse_math=False)
    if panel.corner:
        axes.set_title(panel.corner, loc="right", fontsize=8, color=GREY)


def kind_looks(panel: Panel) -> Looks:
    """Colour and marker of each kind, the same in all plots with the same kinds."""
    return {name: look(place) for place, name in enumerate(sorted(panel.kinds))}


def line_look(line: Line) -> tuple[str, Dashes]:
    """Colour and dashes of a line."""
    if line.role is None:
        return stroke(line.place)
    return (BLACK if line.role == "front" else LOOKS[line.role].colour), "-"


def _mark(axes: Axes, panel: Panel, points: Points, mark: Mark, kinds: Looks) -> None:
    x, y = _figure(mark.x), _figure(mark.y)
    role = LOOKS[points.role]
    if kinds:
        (colour, marker), front, faint = kinds[mark.kind], points.role == "front", FAINT if points.role == "behind" else 1.0
        level, size, edge, opaque = (ABOVE, 9, BLACK, 0.5) if front else (MARK, 7, "white", 0.5 * faint)
    else:
        colour, marker, level, size, edge, faint, opaque = role.colour, role.marker, MARK, 5, role.colour, 1.0, 1.0
    if mark.low is not None and mark.high is not None:
        ends = [mark.low, mark.high]
        across = ([x, x], ends) if panel.values == "y" else (ends, [y, y])
        axes.plot(*across, color=colour, alpha=opaque, linewidth=1.3, zorder=BAR)
    (drawn,) = axes.plot(
        [x], [y], color=colour, linestyle="", marker=marker or "None", markersize=size, alpha=faint, zorder=level
    )
    drawn.set_markeredgecolor(edge)
    if role.hollow and not kinds:
        drawn.set_markerfacecolor("none")


def _line(axes: Axes, line: Line) -> None:
    colour, dashes = line_look(line)
    x, y, low, high = ([*map(_figure, column)] for column in (line.x, line.y, line.low, line.high))
    if line.to_edge and x:
        x.append(axes.get_xlim()[1])
        for column in (y, low, high):
            column += column[-1:]
    if low:
        shade = GREY if line.role else colour
        axes.fill_between(x, low, high, step="post" if line.step else None, color=shade, alpha=BAND, linewidth=0, zorder=1)
    paint = {"color": colour, "linestyle": dashes, "linewidth": 1.3 if line.role else 1.6, "zorder": 3}
    if line.step:
        axes.step(x, y, where="post", **paint)  # type: ignore[arg-type]
    else:
        axes.plot(x, y, **paint)  # type: ignore[arg-type]


def _axis(axes: Axes, axis: Axis, direction: str) -> None:
    """Sets label, scale, ticks and limits of `x` or `y`."""
    from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter

    getattr(axes, f"set_{direction}label")(clean(axis.label), parse_math=False)
    own = getattr(axes, f"{direction}axis")
    if axis.log:
        getattr(axes, f"set_{direction}scale")("log")
        own.set_major_locator(LogLocator(subs=(1, 2, 5)))
        own.set_major_formatter("{x:g}")
        own.set_minor_formatter(NullFormatter())
    if axis.whole:
        own.set_major_locator(MultipleLocator(1))
    if axis.ticks:
        own.set_ticks(axis.ticks)
    limits = getattr(axes, f"set_{direction}lim")
    if axis.names:
        names = [*map(clean, axis.names)]
        if axis.beside:
            names = [f"{name}   {more}" for name, more in zip(names, axis.beside, strict=True)]
            axes.set_title(f"{axis.heading}  ", loc="left", x=0, ha="right", fontsize=8, color=GREY)
        getattr(axes, f"set_{direction}ticks")(range(len(names)), names, parse_math=False)
        ends = (-0.7, len(names) - 0.3) if direction == "x" else (-0.5, len(names) - 0.5)
        limits(*(reversed(ends) if axis.flipped else ends))
        bare(axes, direction)
        if direction == "x":
            for text in axes.get_xticklabels():
                text.set(rotation=25 if len(names) <= 10 else 50, ha="right", rotation_mode="anchor")
    elif axis.low is not None or axis.high is not None:
        limits(axis.low, axis.high)


def _widen(axes: Axes, panel: Panel) -> None:
    """Adds room for labels on both sides of the points."""
    forward, back = axes.xaxis.get_transform(), axes.xaxis.get_transform().inverted()
    at = [float(forward.transform([mark.x])[0]) for mark in panel.marks if mark.x is not None]
    known = [float(forward.transform([cost])[0]) for cost, _ in panel.above] or at
    width = max(known) - min(known) or 1.0
    limits = back.transform([min(at) - 0.06 * width, max(at) + 0.1 * width])
    axes.set_xlim(*(float(one) for one in limits))


def _figure(value: float | None) -> float:
    return math.nan if value is None else value
