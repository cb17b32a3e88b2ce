"""The plane of costs as values: what is said in words, and where the less the better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row
from kdbench.reports.pareto import Plane, planes
from kdbench.reports.plots.cost_plane import cost_plane
from kdbench.reports.plots.cost_plane_text import describe, plotted
from tests.support.made_boards import ERROR, SCORE, profile, row, student, table


def plane_of(
    costs: Sequence[float], means: Sequence[Sequence[float]], references: Sequence[Row] = (), metric: Metric = SCORE
) -> Plane:
    """Latency, a student for each cost, with a strategy s0, s1 … for each mean; s0 is significantly better than s1."""
    students = [student(f"student{place}", place=place) for place in range(len(costs))]
    tables = [
        table(
            *(row(f"s{place}", mean, of=of, half=5.0, metric=metric) for place, mean in enumerate(column)),
            references=list(references),
            better=[(0, 1)] if len(column) > 1 else [],
        )
        for of, column in zip(students, means, strict=True)
    ]
    profiles = [profile(of, {1: cost / 2}, {1: cost / 2}) for of, cost in zip(students, costs, strict=True)]
    return planes(Board(tables, []), profiles)[0]


def teacher(name: str, mean: float, metric: Metric = SCORE) -> Row:
    return row("", mean, of=student(name), team=(), reference=True, metric=metric)


def test_plotted_has_all_that_is_drawn() -> None:
    plane = plane_of([1.0, 2.0], [[100.0, 90.0], [99.0]], [teacher("t", 200.0)])
    lines = plotted(plane).split("\n")
    ids = {point.row.strategy + point.row.student: point.row.id for point in plane.points}
    assert lines == [
        f"plane {plane.id}",
        plane.title,
        plane.cost,
        f"{ids['s0student0']} student0: s0 of a + b cost=1 mean=100 low=95 high=105 front",
        f"{ids['s1student0']} student0: s1 of a + b cost=1 mean=90 low=85 high=95 behind",
        f"{ids['s0student1']} student1: s0 of a + b cost=2 mean=99 low=94 high=104 open",
        f"{plane.references[0].id} t (teacher itself) mean=200 low=195 high=205",
    ]
    assert plotted(replace(plane, notes=["a note"])).split("\n") == [*lines, "a note"]


def test_describe_names_the_front() -> None:
    plane = plane_of([1.0, 2.0], [[100.0, 90.0], [99.0]])
    assert describe(plane) == (
        "score against latency of image + text, batch 1 (ms). On the front: student0: s0 with 100.0 at 1; "
        "of 2 other rows 1 is not significantly worse."
    )


# Lower is better


def test_where_less_is_better_the_front_falls_and_the_axis_says_so() -> None:
    plane = plane_of([1.0, 2.0, 4.0], [[30.0, 45.0], [20.0], [25.0]], [teacher("t", 10.0, ERROR)], ERROR)
    assert [(point.row.student, point.row.strategy) for point in plane.points if point.best] == [
        ("student0", "s0"),
        ("student1", "s0"),
    ]
    plot = cost_plane(plane)
    (panel,) = plot.panels
    assert panel.y.label == "RMSE (K), lower is better"
    (front,) = panel.lines
    assert (front.x, front.y) == ((1.0, 2.0), (30.0, 20.0))
    assert (front.low, front.high) == ((25.0, 15.0), (35.0, 25.0))
    by_role = {points.role: [mark.y for mark in points.marks] for points in panel.points}
    assert by_role == {"front": [30.0, 20.0], "behind": [45.0], "open": [25.0]}
    assert panel.kinds == ("s0", "s1")
    assert panel.points[-1].marks[0].hover[2] == "RMSE 30.00, 95 % interval 25.00 to 35.00"
    assert [level.text for level in panel.levels] == ["10.00"]
    assert describe(plane).startswith("RMSE (lower is better) against latency")


def test_where_less_is_better_the_band_never_gets_worse() -> None:
    plane = plane_of([1.0, 2.0], [[30.0], [29.0]], metric=ERROR)
    sure = row("s0", 30.0, half=1.0, of=plane.points[0].row.spec.student, metric=ERROR)
    points = [replace(plane.points[0], row=sure, value=sure.value), plane.points[1]]
    (front,) = cost_plane(replace(plane, points=points)).panels[0].lines
    assert front.high == (31.0, 31.0)
    assert front.low == (29.0, 24.0)


def test_where_less_is_better_rows_of_one_cost_stand_best_first() -> None:
    (panel,) = cost_plane(plane_of([1.5], [[30.0, 45.0, 20.0]], metric=ERROR)).panels
    assert panel.x.names == ("s2", "s0", "s1")
    assert sorted((mark.x, mark.y) for mark in panel.marks) == [(0.0, 20.0), (1.0, 30.0), (2.0, 45.0)]


def test_costs_on_a_logarithmic_axis_are_spread_by_factors() -> None:
    (panel,) = cost_plane(plane_of([1.0, 100.0], [[100.0, 90.0], [120.0, 110.0]])).panels
    assert panel.x.log
    places = sorted(mark.x for mark in panel.marks if mark.x is not None)
    assert [places[0], places[2]] == [1.0, 100.0]
    assert places[1] / places[0] == pytest.approx(places[3] / places[2])
