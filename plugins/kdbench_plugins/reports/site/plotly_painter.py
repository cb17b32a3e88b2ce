"""Paints a panel for plotly, as JSON values. Colours are names of CSS variables, which the page resolves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kdbench.reports.palette import LOOKS
from kdbench.reports.plots.model import Axis, Level, Line, Mark, Number, Panel, Points

Figure = dict[str, Any]
HEAD, LINE = 86, 24  # height in pixels of a plot of named rows: base, and per row
LEGEND = 24  # pixels of a legend above a plot
TALL, LOW = 420, 300  # heights in pixels of plots of marks and of curves
SIZES = {"front": 10, "pareto": 10, "mean": 9, "seed": 7}


ZERO: Figure = {
    "type": "line",
    "yref": "paper",
    "x0": 0,
    "x1": 0,
    "y0": 0,
    "y1": 1,
    "layer": "below",
    "line": {"width": 2, "color": "--other"},  # the grid, a pixel wide, is drawn over it
}


def paint(panel: Panel, legend: bool = True) -> Figure:
    """`traces` and `layout` for plotly; the page's script labels `levels`.

    Points without marks are invisible: a role has the same trace in every plot. A plot of one series has no legend. Without
    `legend` none has one; the page has one for several plots.
    """
    traces = [trace for line in panel.lines for trace in _line(line, panel)]
    traces += [_points(points, panel) for points in panel.points]
    if panel.bars:
        traces.append(_bars(panel))
    named = [level for level in panel.levels if level.named]
    if named:
        traces.append(_levels(named, panel))
    rows = max(len(panel.y.names), len(panel.bars.values) if panel.bars else 0)
    legend = legend and sum(trace.get("visible", True) and trace.get("showlegend", True) for trace in traces) > 1
    height = HEAD + LEGEND * legend + LINE * max(2, rows) if rows else TALL if panel.points else LOW
    layout = {"xaxis": _axis(panel.x), "yaxis": _axis(panel.y), "height": height, "showlegend": legend}
    layout["shapes"] = [*map(_stripe, panel.stripes), *([ZERO] if panel.zero else [])]
    return {
        "traces": traces,
        "layout": layout,
        "levels": [{"y": finite(level.value), "text": plain(level.name)} for level in named],
    }


def plain(text: object) -> str:
    """Escapes a text for plotly, which interprets some tags and entities as markup."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def finite(value: Number) -> Number:
    """None, which plotly draws as a gap, for values that are not finite, which JSON cannot express."""
    return value if value is not None and math.isfinite(value) else None


def _points(points: Points, panel: Panel) -> Figure:
    look = LOOKS[points.role]
    edge = "--dot-edge" if points.role == "seed" else look.variable
    found: Figure = {
        "type": "scatter",
        "mode": "markers",
        "name": plain(points.label),
        "x": [finite(mark.x) for mark in points.marks],
        "y": [finite(mark.y) for mark in points.marks],
        "marker": {
            "color": look.variable,
            "size": SIZES.get(points.role, 8),
            "symbol": look.symbol,
            "line": {"color": edge, "width": 1 if points.role == "seed" else 1.5},
        },
        "hoverinfo": "text",
        "hovertext": [_hover(mark.hover) for mark in points.marks],
        "visible": bool(points.marks),
    }
    if any(mark.low is not None for mark in points.marks):
        found[f"error_{panel.values}"] = _intervals(points.marks, panel, look.variable)
    return found


def _intervals(marks: Sequence[Mark], panel: Panel, colour: str) -> Figure:
    """The distances of the intervals' ends from the values."""
    above, below = [], []
    for mark in marks:
        value = mark.y if panel.values == "y" else mark.x
        known = value is not None and mark.low is not None and mark.high is not None
        above.append(finite(mark.high - value) if known else None)  # type: ignore[operator]
        below.append(finite(value - mark.low) if known else None)  # type: ignore[operator]
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "color": colour,
        "thickness": 1,
        "width": 3,
    }


def _line(line: Line, panel: Panel) -> Iterator[Figure]:
    """The traces of a curve: its band, as an invisible curve and one that fills down to it, then the curve."""
    if line.role is None:
        colour, dash = f"--line-{1 + line.place % 6}", ("solid", "dash", "dot")[line.place // 6 % 3]
    else:
        colour, dash = LOOKS[line.role].variable, "solid"
    shape = {"shape": "hv"} if line.step else {}
    x, edge = list(line.x), max((mark.x for mark in panel.marks if mark.x is not None and math.isfinite(mark.x)), default=None)
    further = line.to_edge and edge is not None and bool(x) and edge > x[-1]
    if further:
        x.append(edge)  # type: ignore[arg-type]

    def column(values: Iterable[Number]) -> list[Number]:
        found = [finite(value) for value in values]
        return found + found[-1:] if further else found

    base = {"type": "scatter", "mode": "lines", "name": plain(line.label), "x": x}
    if line.low:
        unseen = base | {"line": {"width": 0, **shape}, "hoverinfo": "skip", "showlegend": False}
        yield unseen | {"y": column(line.low)}
        yield unseen | {"y": column(line.high), "fill": "tonexty", "fillcolor": "--shade"}
    yield base | {
        "y": column(line.y),
        "line": {"color": colour, "width": 2, "dash": dash, **shape},
        "hoverinfo": "skip" if line.role else "x+y+name",
        "visible": bool(x),
    }


def _levels(levels: Sequence[Level], panel: Panel) -> Figure:
    """The traces of levels: a horizontal line each, because their costs are not compared."""
    known = [mark.x for mark in panel.marks if mark.x is not None and math.isfinite(mark.x)]
    first, last = (min(known), max(known)) if known else (0.0, 1.0)
    return {
        "type": "scatter",
        "name": "a teacher itself",
        "mode": "lines",
        "x": [x for _ in levels for x in (first, last, None)],
        "y": [y for level in levels for y in (finite(level.value), finite(level.value), None)],
        "line": {"color": "--other", "width": 1, "dash": "dash"},
        "hoverinfo": "text",
        "hovertext": [_hover(level.hover) for level in levels for _ in range(3)],
    }


def _bars(panel: Panel) -> Figure:
    bars = panel.bars
    assert bars is not None
    return {
        "type": "bar",
        "orientation": "h",
        "x": [finite(value) for value in bars.values],
        "y": list(range(len(bars.values))),
        "width": 0.6,
        "marker": {"color": LOOKS[bars.role].variable},
        "hoverinfo": "text",
        "hovertext": [_hover(lines) for lines in bars.hover],
    }


def _axis(axis: Axis) -> Figure:
    found: Figure = {"title": plain(axis.label)} if axis.label else {}
    if axis.log:
        found["type"] = "log"
    if axis.whole:
        found["dtick"] = 1
    if axis.from_zero:
        found["rangemode"] = "tozero"
    if axis.names:
        ends = [-0.5, len(axis.names) - 0.5]
        found |= {"tickvals": list(range(len(axis.names))), "ticktext": [plain(name) for name in axis.names], "ticks": ""}
        found["range"] = ends[::-1] if axis.flipped else ends
    elif axis.low is not None and axis.high is not None:
        found["range"] = [axis.low, axis.high]
    if axis.ticks:
        found["tickvals"] = list(axis.ticks)
    return found


def _stripe(place: int) -> Figure:
    ends = {"x0": 0, "x1": 1, "y0": place - 0.5, "y1": place + 0.5}
    return {"type": "rect", "xref": "paper", **ends, "layer": "below", "line": {"width": 0}, "fillcolor": "--band"}


def _hover(lines: Sequence[str]) -> str:
    return "<br>".join(f"<b>{plain(line)}</b>" if not place else plain(line) for place, line in enumerate(lines))
