"""What a plot shows, as plain values: built once for each kind of plot, painted by matplotlib and by plotly.

Numbers are in shown units; None, NaN and infinities are gaps. Labels are text as records have it, which anyone may have
written: a painter escapes what its library would take for markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdbench.reports.palette import Role

Number = float | None


@dataclass(frozen=True)
class Axis:
    """`names` label the positions 0, 1, … of an axis that measures nothing, `beside` adds a column of that heading to them.

    `flipped` axes start at the top. `low` and `high` fix the limits, `ticks` the ticks; painters choose what is not given.
    """

    label: str = ""
    log: bool = False
    names: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    heading: str = ""
    flipped: bool = False
    whole: bool = False  # a tick at each whole number
    from_zero: bool = False
    low: float | None = None
    high: float | None = None
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A point with the interval of its value, if it has one.

    `hover` is shown under a pointer, its first line in bold. Paper has none: there `kind` gives a mark its colour and
    shape, and `name` is written beside it.
    """

    x: Number
    y: Number
    low: float | None = None
    high: float | None = None
    hover: tuple[str, ...] = ()
    kind: str = ""
    name: str = ""


@dataclass(frozen=True)
class Points:
    """Marks of one role. An empty label is left out of the legend."""

    label: str
    role: Role
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Line:
    """A curve through [n] points, with a band from `low` to `high` [n] around it if these are given.

    Its look is that of its role or, without one, the `place`-th of the palette. A `step` holds each value until the next
    point; `to_edge` extends the last value to the edge of the panel.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[Number, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    role: Role | None = None
    place: int = 0
    step: bool = False
    to_edge: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from 0, one at each position of the y axis."""

    role: Role
    values: tuple[Number, ...]
    hover: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Level:
    """A line across a panel at `value` of the y axis: a named one has its name and `text` beside it, others are explained
    in the legend."""

    value: float
    name: str
    text: str = ""
    hover: tuple[str, ...] = ()
    named: bool = True


@dataclass(frozen=True)
class Panel:
    """Two axes and what is drawn between them.

    `values` is the axis that intervals lie along. `stripes` are positions of the y axis with a band behind them. `above`
    names places of the x axis. `kinds` orders the marks' kinds for a legend. With `zero`, a line marks 0 of the x axis.
    """

    x: Axis
    y: Axis
    title: str = ""
    corner: str = ""  # in the upper right corner
    values: Literal["x", "y"] = "y"
    points: tuple[Points, ...] = ()
    lines: tuple[Line, ...] = ()
    bars: Bars | None = None
    levels: tuple[Level, ...] = ()
    stripes: tuple[int, ...] = ()
    above: tuple[tuple[float, str], ...] = ()
    kinds: tuple[str, ...] = ()
    zero: bool = False

    @property
    def marks(self) -> list[Mark]:
        """Those of all points."""
        return [mark for points in self.points for mark in points.marks]


@dataclass(frozen=True)
class Plot:
    """Panels under one heading.

    `stem` names its files: letters, digits and hyphens. `question` is what the plot answers, `about` what it shows, one
    paragraph each. `alt` says in one sentence what is to be seen. `data` are the figures as lines of text, to tell whether a
    file was drawn from today's records. `legend` explains what is not a series: bars, bands, stripes.
    """

    stem: str
    title: str
    question: str
    alt: str
    panels: tuple[Panel, ...]
    data: str = ""
    about: tuple[str, ...] = ()
    intervals: str = ""  # what bars and bands are
    striped: str = ""  # what stripes are


def series_drawn(panels: Sequence[Panel]) -> list[Points]:
    """The series of panels that share a legend, in the order of the first panel, without those that have no mark in any."""
    drawn = {points.label: points for panel in panels for points in panel.points if points.marks}
    return [drawn[points.label] for points in panels[0].points if points.label in drawn]


def line_of(name: str, **values: object) -> str:
    """One line of `Plot.data`: `name key=value`, numbers to 6 digits."""
    shown = (f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
    return " ".join([name, *shown])
