"""Planes as pictures: the marks are where the figures say, the front is the front, names are where they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdbench.reports.board import Board, Row
from kdbench.reports.palette import COLOURS, MARKERS
from kdbench.reports.pareto import Plane, planes
from kdbench.reports.plots import cost_plane
from kdbench_plugins.reports.figures.matplotlib_style import look, settings
from kdbench_plugins.reports.figures.painter import paint
from tests.support.drawn_lines import xs, ys
from tests.support.made_boards import profile, row, student, table

COST = "latency of image + text, batch 1 (ms)"


@pytest.fixture(autouse=True)
def as_when_saved() -> Iterator[None]:
    with settings():
        yield


def plane_of(costs: Sequence[float], means: Sequence[Sequence[float]], references: Sequence[Row] = ()) -> Plane:
    """Latency, a student for each cost, with a strategy s0, s1 … for each mean."""
    students = [student(f"student{place}", place=place) for place in range(len(costs))]
    tables = [
        table(
            *(row(f"s{place}", mean, of=of) for place, mean in enumerate(column)),
            references=list(references),
            better=[(0, 1)] if len(column) > 1 else [],
        )
        for of, column in zip(students, means, strict=True)
    ]
    profiles = [profile(of, {1: cost / 2}, {1: cost / 2}) for of, cost in zip(students, costs, strict=True)]
    return planes(Board(tables, []), profiles)[0]


def figure_of(plane: Plane) -> Figure:
    return paint(cost_plane(plane))


def marks(axes: Axes) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """By colour and marker."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line in axes.lines:
        if line.get_marker() != "None":
            found.setdefault((str(line.get_color()), str(line.get_marker())), []).append((xs(line)[0], ys(line)[0]))
    return found


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def steps(axes: Axes) -> Any:
    (line,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    return line.get_xydata()


# Several students


def test_marks_stand_at_cost_and_score() -> None:
    plane = plane_of([1.0, 2.0, 4.0], [[100.0, 90.0], [120.0, 130.0], [110.0]])
    figure = figure_of(plane)
    axes = figure.axes[0]
    shown = marks(axes)
    assert set(shown) == {look(0), look(1)}
    for place in range(2):
        means = sorted(point.value.mean for point in plane.points if point.row.strategy == f"s{place}")
        assert sorted(y for _, y in shown[look(place)]) == means
    front = {(1.0, 100.0), (2.0, 130.0)}
    everywhere = {(x, y) for group in shown.values() for x, y in group}
    assert front <= everywhere
    for x, y in everywhere - front:  # aside by less than half of what parts the costs
        cost = next(point.cost for point in plane.points if point.value.mean == y)
        assert abs(x - cost) < 0.5
    bars = {tuple(ys(line)) for line in axes.lines if len(xs(line)) == 2 and line.get_zorder() == 2}
    assert bars == {(point.value.low, point.value.high) for point in plane.points}


def test_the_front_is_a_step_and_alone_is_named() -> None:
    plane = plane_of([1.0, 2.0, 4.0], [[100.0, 90.0], [120.0, 130.0], [110.0]])
    figure = figure_of(plane)
    line = steps(figure.axes[0])
    assert line[:-1].tolist() == [[1.0, 100.0], [2.0, 130.0]]
    assert line[-1].tolist() == [figure.axes[0].get_xlim()[1], 130.0]
    assert sorted(texts(figure)) == sorted(["s0", "s1", "student0", "student1", "student2"])


def test_the_band_does_not_fall() -> None:
    wide = row("s0", 100.0, of=student("student0", place=0), half=30.0)
    plane = plane_of([1.0, 2.0], [[100.0], [101.0]])
    points = [replace(plane.points[0], row=wide, value=wide.value), plane.points[1]]
    figure = figure_of(replace(plane, points=points))
    vertices = figure.axes[0].collections[0].get_paths()[0].vertices
    heights = {float(y) for x, y in np.asarray(vertices) if x > 2.0}
    assert heights == {130.0, 96.0}


@pytest.mark.parametrize(("costs", "scale"), [([1.0, 10.0], "linear"), ([1.0, 10.5], "log"), ([0.0, 10.0], "linear")])
def test_wide_costs_are_shown_by_their_logarithm(costs: list[float], scale: str) -> None:
    figure = figure_of(plane_of(costs, [[100.0, 90.0], [120.0]]))
    assert figure.axes[0].get_xscale() == scale
    low, high = figure.axes[0].get_xlim()
    assert low < costs[0] < costs[1] < high


def test_points_of_one_cost_are_said_to_be_spread() -> None:
    spread = "rows of equal cost are spread sideways around it"
    assert figure_of(plane_of([1.0, 2.0], [[100.0, 90.0], [120.0]])).axes[0].get_xlabel().endswith(spread)
    assert figure_of(plane_of([1.0, 2.0], [[100.0], [120.0]])).axes[0].get_xlabel() == COST


def test_strategies_are_told_apart_and_keep_their_looks() -> None:
    assert len({look(place) for place in range(56)}) == len(COLOURS) * len(MARKERS) == 56
    first = figure_of(plane_of([1.0, 2.0], [[100.0, 90.0], [120.0]]))
    other = figure_of(plane_of([1.0, 3.0], [[50.0, 140.0], [20.0]]))
    assert set(marks(first.axes[0])) == set(marks(other.axes[0]))
    assert legend_of(first) == ["s0", "s1", "front", "bars and band: 95 % intervals", "pale: significantly worse"]
    assert legend_of(other)[:2] == ["s1", "s0"]
    faint = [line.get_alpha() for line in first.axes[0].lines if ys(line)[0] == 90.0 and line.get_zorder() == 4]
    assert faint == [0.45]


# References


def teacher(name: str, mean: float) -> Row:
    return row("", mean, of=student(name), team=(), reference=True)


@pytest.mark.parametrize("means", [[[100.0, 90.0], [120.0]], [[100.0, 90.0]]])
def test_teachers_are_dashed_lines_with_names(means: list[list[float]]) -> None:
    teachers = [teacher("near", 130.0), teacher("by", 130.5), teacher("far", 900.0), teacher("low", 1.0)]
    figure = figure_of(plane_of([1.0, 2.0][: len(means)], means, teachers))
    axes = figure.axes[0]
    dashed = [ys(line)[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert sorted(dashed) == [130.0, 130.5]
    low, high = axes.get_ylim()
    assert low < 85.0
    assert 130.5 < high < 200
    named = {text.get_text(): text for text in axes.texts if "teacher" in text.get_text()}
    assert set(named) == {
        "near (teacher\nitself)\n130.0",
        "by (teacher itself)\n130.5",
        "far (teacher itself)\n900.0 ↑",
        "low (teacher itself)\n1.0 ↓",
    }
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in named.values()), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 3 for below, above in pairwise(boxes))
    assert all(box.x0 >= axes.get_window_extent().x1 for box in boxes)


# One student


def test_rows_of_one_student_stand_side_by_side() -> None:
    plane = plane_of([1.5], [[100.0, 80.0, 110.0]])
    figure = figure_of(plane)
    axes = figure.axes[0]
    shown = {x: y for group in marks(axes).values() for x, y in group}
    assert shown == {0.0: 110.0, 1.0: 100.0, 2.0: 80.0}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["s2", "s0", "s1"]
    assert axes.get_xlabel() == f"best first; all cost the same: {COST} 1.5"
    assert len({str(line.get_color()) for line in axes.lines}) == 3
    assert legend_of(figure)[:2] == ["best mean", "not significantly worse"]
    assert legend_of(figure)[2].startswith("significantly worse")


def test_many_rows_widen_the_picture() -> None:
    few, many = (figure_of(plane_of([1.0], [[100.0 + place for place in range(count)]])) for count in (3, 40))
    assert few.get_figwidth() == 9
    assert many.get_figwidth() > 10


def test_notes_are_shown() -> None:
    plane = replace(plane_of([1.0], [[100.0]]), notes=["large: not profiled here, so its row has no point"])
    assert any("large: not profiled here" in text.get_text() for text in figure_of(plane).texts)
