"""The plane of costs in words: what is drawn, and what there is to see."""

from __future__ import annotations

from kdbench.reports.board import Row
from kdbench.reports.pareto import Plane
from kdbench.reports.plots.labels import clean, row_labels
from kdbench.reports.plots.model import line_of


def plotted(plane: Plane) -> str:
    """What is drawn, as text."""
    lines = [f"plane {plane.id}", clean(plane.title), clean(plane.cost)]
    for point in plane.points:
        about = line_of(f"{point.row.id} {_name(point.row)}", cost=float(point.cost), **_ends(plane, point.row))
        lines.append(f"{about} {point.standing}")
    lines += [line_of(f"{row.id} {_name(row)}", **_ends(plane, row)) for row in plane.references]
    return "\n".join([*lines, *map(clean, plane.notes)])


def describe(plane: Plane) -> str:
    """Alt text: the axes, the front, and how many other rows are not significantly worse."""
    names = row_labels([point.row for point in plane.points], 60, student=True)
    ends = [point for point in plane.points if point.best]
    shown = [f"{names[point.row.id]} with {plane.metric.text(point.value.mean)} at {point.cost:.3g}" for point in ends]
    others, tied = len(plane.points) - len(ends), sum(point.standing == "open" for point in plane.points)
    front = ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
    rest = f"; of {others} other rows {tied or 'none'} {'is' if tied == 1 else 'are'} not significantly worse" if others else ""
    way = "" if plane.metric.higher_is_better else " (lower is better)"
    return f"{plane.metric.label}{way} against {clean(plane.cost)}. On the front: {front}{rest}."


def _name(row: Row) -> str:
    return clean(row.name if row.reference else f"{row.student}: {row.name}")


def _ends(plane: Plane, row: Row) -> dict[str, float]:
    value = row.values[plane.metric.name]
    return {"mean": value.mean, "low": value.low, "high": value.high}
