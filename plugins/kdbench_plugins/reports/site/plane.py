"""The plot of recall against cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from kdbench.reports.board import Value
from kdbench.reports.site.plots import Figure, bars, finite, plain
from kdbench.reports.site.shown import interval, number

if TYPE_CHECKING:
    from kdbench.reports.pareto import Plane, Point

# By `Point.standing`, in the order they are drawn.
STANDINGS = {"behind": "surely behind", "open": "not on the line, perhaps by chance", "front": "best for its cost"}
SYMBOLS = {"behind": "x-thin-open", "open": "circle-open", "front": "diamond"}
BAND = 0.6  # of the room that points of one cost have, at most so much is taken
LONE = 0.2  # of a cost that all points have


def plane_figure(plane: Plane) -> Figure:
    """Every row as a point with its interval, a line through those that nothing beats, references as levels."""
    drawn = sorted(
        zip(side_by_side([point.cost for point in plane.points]), plane.points, strict=True), key=lambda pair: pair[0]
    )
    traces = [
        _trace(plane, [(x, point) for x, point in drawn if point.standing == standing], standing, name)
        for standing, name in STANDINGS.items()
    ]
    means = [(row.name, row.values["rsum"]) for row in plane.references if "rsum" in row.values]
    widest = max((x for x, _ in drawn if math.isfinite(x)), default=1.0)
    layout = {"xaxis": {"title": plain(plane.cost), "rangemode": "tozero"}, "yaxis": {"title": "RSUM, %"}, "height": 420}
    levels = [{"y": finite(value.mean), "text": plain(name)} for name, value in means]
    return {"traces": [*traces, _levels(means, widest)], "layout": layout, "levels": levels}


def side_by_side(costs: Sequence[float]) -> list[float]:
    """Where points are drawn: rows of one student cost the same, and would hide each other.

    Of equal costs, in their order, the first keeps its place; the others stand to its right and left by turns, and nearer
    than half-way to the next cost.
    """
    places: dict[float, list[int]] = defaultdict(list)
    for place, cost in enumerate(costs):
        places[cost].append(place)
    distinct = sorted(places)
    gaps = [after - before for before, after in pairwise(distinct)]
    room = BAND * min([*gaps, LONE * max(map(abs, distinct), default=0.0) / BAND])
    drawn = list(costs)
    for cost, same in places.items():
        for turn, place in enumerate(same):
            drawn[place] = cost + room / len(same) * ((turn + 1) // 2) * (1 if turn % 2 else -1)
    return drawn


def _trace(plane: Plane, points: Sequence[tuple[float, Point]], standing: str, name: str) -> Figure:
    front = standing == "front"
    colour = "--front" if front else "--other"
    return {
        "type": "scatter",
        "name": name,
        "x": [finite(x) for x, _ in points],
        "y": [finite(point.value.mean) for _, point in points],
        "error_y": bars([point.value.half for _, point in points], colour),
        "marker": {"color": colour, "size": 10 if front else 8, "symbol": SYMBOLS[standing]},
        "mode": "lines+markers" if front else "markers",
        **({"line": {"color": colour, "width": 2, "shape": "hv"}} if front else {}),
        "visible": bool(points),
        "hoverinfo": "text",
        "hovertext": [
            "<br>".join(
                [
                    f"<b>{plain(point.row.name)}</b>",
                    f"student {plain(point.row.student)}",
                    f"RSUM {number(point.value.mean)}, {interval(point.value)}",
                    f"{plain(plane.cost)}: {number(point.cost, 3)}",
                    name,
                ]
            )
            for _, point in points
        ],
    }


def _levels(means: Sequence[tuple[str, Value]], widest: float) -> Figure:
    """What the teachers score, each a line from the axis to the dearest point: at costs that are not compared."""
    texts = [f"<b>{plain(name)}</b><br>RSUM {number(value.mean)}, {interval(value)}" for name, value in means]
    return {
        "type": "scatter",
        "name": "a teacher as it is",
        "mode": "lines",
        "x": [x for _ in means for x in (0, widest, None)],
        "y": [y for _, value in means for y in (finite(value.mean), finite(value.mean), None)],
        "line": {"color": "--other", "width": 1, "dash": "dash"},
        "hoverinfo": "text",
        "hovertext": [text for text in texts for _ in range(3)],
        "visible": bool(means),
    }
