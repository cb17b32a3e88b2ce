"""A plane of costs and recall as a picture: what the next point of RSUM costs, and what is not worth its cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from kdbench.reports.board import Row
from kdbench.reports.figures import alone, students
from kdbench.reports.figures.names import clean, common_team, labels, slug, wrapped
from kdbench.reports.figures.picture import Picture, line
from kdbench.reports.figures.references import include, name_lines
from kdbench.reports.figures.style import headed, laid_out
from kdbench.reports.pareto import Plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plane_picture(plane: Plane) -> Picture:
    """Rows of several students against what these cost; rows of one student, which all cost the same, side by side."""
    dataset = str(plane.points[0].row.spec["dataset"]["name"])
    stem = "-".join(filter(None, ["plane", slug(plane.cost.split()[0]), slug(dataset), plane.id]))
    return Picture(stem, clean(plane.title), describe(plane), plotted(plane), partial(figure_of, plane))


def plotted(plane: Plane) -> str:
    """What is drawn, as text."""
    lines = [f"plane {plane.id}", clean(plane.title), clean(plane.cost)]
    for point in plane.points:
        about = line(f"{point.row.id} {_name(point.row)}", cost=float(point.cost), **_value(point.row))
        lines.append(f"{about} {point.standing}")
    lines += [line(f"{row.id} {_name(row)}", **_value(row)) for row in plane.references]
    return "\n".join([*lines, *map(clean, plane.notes)])


def describe(plane: Plane) -> str:
    """Alt text: what is shown, the front, and how many rows may be as good."""
    names = labels([point.row for point in plane.points], 60, student=True)
    ends = [point for point in plane.points if point.best]
    shown = [f"{names[point.row.id]} with {point.value.mean:.1f} at {point.cost:.3g}" for point in ends]
    others, may = len(plane.points) - len(ends), sum(point.standing == "open" for point in plane.points)
    front = ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
    rest = f"; of {others} other rows {may or 'none'} may be as good at the cost" if others else ""
    return f"RSUM against {clean(plane.cost)}. On the front: {front}{rest}."


def figure_of(plane: Plane) -> Figure:
    """RSUM upwards, with the teachers' own as dashed lines."""
    same = len({point.cost for point in plane.points}) == 1
    paint: Callable[[Plane], Figure] = alone.figure_of if same else students.figure_of
    figure = paint(plane)
    axes = figure.axes[0]
    at = ", ".join(map(str, plane.points[0].row.runs[0].recall_at))
    axes.set_ylabel(f"RSUM, sum of R@{at} both ways, in percent")
    team = common_team([point.row for point in plane.points])
    about = wrapped(plane.title + (f" · strategies of {team}" if team else ""), 125)
    question = alone.QUESTION if same else students.QUESTION
    headed(figure, [question, *about, *(text for note in plane.notes for text in wrapped(note, 125, 2))])
    shown = include(axes, plane)
    laid_out(figure)  # labels are placed in pixels
    name_lines(axes, shown)
    if not same:
        students.name_students(axes, plane)
        laid_out(figure)  # those outside the axes have made these smaller
        students.name_points(axes, plane)
    return figure


def _name(row: Row) -> str:
    return clean(row.name if row.reference else f"{row.student}: {row.name}")


def _value(row: Row) -> dict[str, float]:
    value = row.values["rsum"]
    return {"mean": value.mean, "low": value.low, "high": value.high}
