"""The headline metric against what students cost, and which rows are not worth their cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import isfinite, log10

from kdbench.reports.board import Row
from kdbench.reports.palette import Role
from kdbench.reports.pareto import Plane, Point
from kdbench.reports.plots.cost_plane_text import describe, plotted
from kdbench.reports.plots.labels import common_team, file_part, interval_text, metric_label, row_labels
from kdbench.reports.plots.model import Axis, Level, Line, Mark, Panel, Plot, Points
from kdbench.reports.plots.spreading import spread_sideways

SEVERAL = "What does a better student cost?"
ALONE = "At one cost, which row is best?"
STANDINGS: dict[Role, str] = {  # by Point.standing, in the order they are drawn
    "behind": "significantly worse",
    "open": "not significantly worse",
    "front": "best for its cost",
}
WIDE = 10  # costs that span a larger factor get a logarithmic axis
STEP = 0.013  # of the axis, between points of one cost


def cost_plane(plane: Plane) -> Plot:
    """Rows of several students against their costs; rows that all cost the same are shown side by side."""
    same = len({point.cost for point in plane.points}) == 1
    rows = [point.row for point in plane.points]
    team = common_team(rows)
    dataset = plane.points[0].row.spec.dataset.name
    return Plot(
        stem="-".join(filter(None, ["plane", file_part(plane.cost.split()[0]), file_part(dataset), plane.id])),
        title=plane.title,
        question=ALONE if same else SEVERAL,
        alt=describe(plane),
        panels=(_side_by_side(plane) if same else _several(plane),),
        data=plotted(plane),
        about=(plane.title + (f" · strategies of {team}" if team else ""), *plane.notes),
        intervals="bars: 95 % intervals" if same else "bars and band: 95 % intervals",
    )


def _several(plane: Plane) -> Panel:
    costs = [point.cost for point in plane.points]
    log = costs[0] > 0 and costs[-1] / costs[0] > WIDE
    places = _places(costs, log)
    names = row_labels([point.row for point in plane.points], 40)
    points = tuple(
        Points(
            label,
            role,
            tuple(
                _mark(plane, point, place, label, kind=_kind(point.row), name=names[point.row.id] if point.best else "")
                for place, point in zip(places, plane.points, strict=True)
                if point.standing == role
            ),
        )
        for role, label in STANDINGS.items()
    )
    spread = "; rows of equal cost are spread sideways around it" if len(set(costs)) < len(costs) else ""
    students: dict[float, list[str]] = defaultdict(list)
    for point in plane.points:
        if point.row.student not in students[point.cost]:
            students[point.cost].append(point.row.student)
    return Panel(
        x=Axis(plane.cost + spread, log=log),
        y=Axis(metric_label(plane.metric)),
        points=points,
        lines=(_front(plane),),
        levels=_levels(plane),
        above=tuple((cost, ", ".join(names)) for cost, names in students.items()),
        kinds=tuple(_kinds(plane)),
    )


def _side_by_side(plane: Plane) -> Panel:
    rows = [point.row for point in plane.points]
    several = len({row.student for row in rows}) > 1
    names = row_labels(rows, 34, student=several)
    words = STANDINGS | {
        "front": "best mean",
        "behind": STANDINGS["behind"] + ("" if several else " (tested in pairs, so bars may overlap)"),
    }
    points = tuple(
        Points(
            label,
            role,
            tuple(
                _mark(plane, point, float(place), STANDINGS[role])
                for place, point in enumerate(plane.points)
                if point.standing == role
            ),
        )
        for role, label in reversed(words.items())
    )
    cost = f"best first; all cost the same: {plane.cost} {plane.points[0].cost:.3g}"
    x = Axis(cost, names=tuple(names[row.id] for row in rows))
    return Panel(x=x, y=Axis(metric_label(plane.metric)), points=points, levels=_levels(plane))


def _places(costs: Sequence[float], log: bool) -> list[float]:
    """Where points stand on the axis."""
    at = [log10(cost) if log else cost for cost in costs]
    moved = spread_sideways(at, STEP * (at[-1] - at[0]))
    # An untouched cost stays exactly as it is.
    return [
        cost if not offset else 10 ** (one + offset) if log else one + offset
        for cost, one, offset in zip(costs, at, moved, strict=True)
    ]


def _mark(plane: Plane, point: Point, x: float, standing: str, kind: str = "", name: str = "") -> Mark:
    metric, value = plane.metric, point.value
    hover = (
        point.row.name,
        f"student {point.row.student}",
        f"{metric.label} {metric.text(value.mean)}, {interval_text(metric, value)}",
        f"{plane.cost}: {point.cost:,.3f}",
        standing,
    )
    return Mark(x, value.mean, value.low, value.high, hover, kind, name)


def _front(plane: Plane) -> Line:
    """A step from each point of the front to the next, and a band of their intervals that never gets worse with the cost."""
    best = [point for point in plane.points if point.best]
    better: Callable[[float, float], float] = max if plane.metric.higher_is_better else min
    means, lows, highs = (
        tuple(accumulate(values, better))
        for values in (
            [point.value.mean for point in best],
            [point.value.low for point in best],
            [point.value.high for point in best],
        )
    )
    x = tuple(point.cost for point in best)
    return Line("front", x, means, lows, highs, role="front", step=True, to_edge=True)


def _levels(plane: Plane) -> tuple[Level, ...]:
    """What the teachers themselves score, at costs that are not compared."""
    metric, found = plane.metric, []
    for row in plane.references:
        value = row.values[metric.name]
        if isfinite(value.mean):
            hover = (row.name, f"{metric.label} {metric.text(value.mean)}, {interval_text(metric, value)}")
            found.append(Level(value.mean, row.name, metric.text(value.mean), hover))
    return tuple(found)


def _kind(row: Row) -> str:
    """What tells a row apart from others of its student."""
    return row.strategy or ("one teacher" if row.team else "no distillation")


def _kinds(plane: Plane) -> list[str]:
    """Best first, by the best mean of any row."""
    means: dict[str, list[float]] = defaultdict(list)
    for point in plane.points:
        means[_kind(point.row)].append(point.value.mean)
    sign = -1 if plane.metric.higher_is_better else 1
    return sorted(means, key=lambda kind: (min(sign * mean for mean in means[kind]), kind))
