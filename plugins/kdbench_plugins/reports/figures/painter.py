"""A plane of several students: rows against what their student costs, with the front that none of the others passes."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from kdbench.reports.board import Row
from kdbench.reports.figures.names import clean, elided, labels
from kdbench.reports.figures.place import apart, label, sideways
from kdbench.reports.figures.style import WIDTH, legend, look
from kdbench.reports.palette import BLACK, GREY, LIGHT
from kdbench.reports.pareto import Plane, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUESTION = "What does better retrieval cost?"
BAR, MARK, ABOVE = 2, 4, 6  # what is drawn over what
WIDE = 10  # costs that span a larger factor are shown by their logarithm


def figure_of(plane: Plane) -> Figure:
    """A colour and a marker a strategy, the same for every plane with the same strategies."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, NullFormatter

    kinds = {name: look(place) for place, name in enumerate(sorted({kind(point.row) for point in plane.points}))}
    figure = Figure(figsize=(WIDTH, 5.6 + 0.09 * len(kinds)), layout="constrained")
    axes = figure.subplots()
    costs = [point.cost for point in plane.points]
    if costs[0] > 0 and costs[-1] / costs[0] > WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for point, x in zip(plane.points, positions(axes, costs), strict=True):
        (colour, marker), faint = kinds[kind(point.row)], 0.45 if point.behind else 1.0
        edge, size, level = (BLACK, 9, ABOVE) if point.best else ("white", 7, MARK)
        axes.plot([x, x], [point.value.low, point.value.high], color=colour, alpha=0.5 * faint, linewidth=1.3, zorder=BAR)
        (mark,) = axes.plot([x], [point.value.mean], color=colour, marker=marker, markersize=size, alpha=faint, zorder=level)
        mark.set_markeredgecolor(edge)
    _front(axes, [point for point in plane.points if point.best])
    spread = "; rows of equal cost are spread sideways around it" if len(set(costs)) < len(costs) else ""
    axes.set_xlabel(clean(plane.cost) + spread, parse_math=False)
    entries = [
        (Line2D([], [], linestyle="", markersize=7, color=colour, marker=marker), elided(name, 26))
        for name, (colour, marker) in _ranked(plane, kinds)
    ]
    front = [(Line2D([], [], color=BLACK, linewidth=1.3), "front")]
    bars = [(Patch(facecolor=GREY, alpha=0.18), "bars and band: 95 % intervals")]
    pale = [(Line2D([], [], linestyle="", marker="o", color=LIGHT), "pale: surely behind")]
    legend(figure, [*entries, *front, *bars, *(pale if any(point.behind for point in plane.points) else [])], 4)
    return figure


def kind(row: Row) -> str:
    """What a row is told apart by within its student."""
    return row.strategy or ("one teacher" if row.team else "no teacher")


def positions(axes: Axes, costs: list[float]) -> list[float]:
    """Where the points stand on the axis. Sets its limits."""
    forward, back = axes.xaxis.get_transform(), axes.xaxis.get_transform().inverted()
    known = {cost: float(forward.transform([cost])[0]) for cost in costs}
    at = [known[cost] for cost in costs]
    width = at[-1] - at[0]
    moved = [one + offset for one, offset in zip(at, sideways(at, 0.013 * width), strict=True)]
    limits = [min(moved) - 0.06 * width, max(moved) + 0.1 * width]
    axes.set_xlim(*(float(one) for one in back.transform(limits)))
    return [float(one) for one in back.transform(moved)]


def name_points(axes: Axes, plane: Plane) -> None:
    """Names the points of the front, beside marks and bars. The figure is laid out."""
    from matplotlib.transforms import Bbox

    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    worst: dict[float, float] = {BAR: 1.0, MARK: 3.0, ABOVE: 20.0}  # how bad it is to cover one
    taken = [
        (Bbox(artist.get_window_extent(renderer).get_points()).padded(1), worst[artist.get_zorder()])
        for artist in axes.lines
        if artist.get_zorder() in worst
    ]
    best = [point for point in plane.points if point.best]
    places = [axes.transData.transform((point.cost, point.value.mean)) for point in best]
    for (x, y), (after, above) in pairwise(places):
        taken += [(Bbox([[x, y], [after, y]]).padded(2), 2.0), (Bbox([[after, y], [after, above]]).padded(2), 2.0)]
    names = labels([point.row for point in plane.points], 40)
    label(axes, [(point.cost, point.value.mean, names[point.row.id]) for point in best], taken)


def name_students(axes: Axes, plane: Plane) -> None:
    """Names of the students above the axes, at their costs. The figure is laid out."""
    students: dict[float, list[str]] = defaultdict(list)
    for point in plane.points:
        if point.row.student not in students[point.cost]:
            students[point.cost].append(point.row.student)
    size = axes.figure.dpi / 72
    at = [float(axes.transData.transform((cost, 0))[0]) for cost in students]
    for (cost, who), here, there in zip(students.items(), at, apart(at, 24 * size), strict=True):
        axes.axvline(cost, color=LIGHT, linewidth=0.8, zorder=0)
        axes.annotate(
            elided(", ".join(who), 22),
            (cost, 1),
            ((there - here) / size, 4),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            rotation=25,
            rotation_mode="anchor",
            fontsize=8,
            color=GREY,
            parse_math=False,
        )


def _front(axes: Axes, best: list[Point]) -> None:
    """A step from each point of the front to the next, and a band of their intervals; it does not fall with the cost."""
    right = axes.get_xlim()[1]
    x = [*(point.cost for point in best), right]
    means, lows, highs = (
        [*accumulate(values, max)]
        for values in (
            [point.value.mean for point in best],
            [point.value.low for point in best],
            [point.value.high for point in best],
        )
    )
    axes.step(x, [*means, means[-1]], where="post", color=BLACK, linewidth=1.3, zorder=3)
    axes.fill_between(x, [*lows, lows[-1]], [*highs, highs[-1]], step="post", color=GREY, alpha=0.18, linewidth=0, zorder=1)


def _ranked(plane: Plane, kinds: dict[str, tuple[str, str]]) -> list[tuple[str, tuple[str, str]]]:
    """Strategies by the best mean any row of theirs has, as they appear from the top."""
    best: dict[str, float] = {}
    for point in plane.points:
        best[kind(point.row)] = max(point.value.mean, best.get(kind(point.row), point.value.mean))
    return sorted(kinds.items(), key=lambda item: (-best[item[0]], item[0]))
