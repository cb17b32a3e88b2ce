"""Planes of cost and headline: who is joined with whom, at what cost, and which points nothing beats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.records.profile import Profile
from kdbench.records.protocol import Budget
from kdbench.reports.board import Board, Table
from kdbench.reports.pareto import Plane, front, planes
from kdbench.suite.spec import PluginSpec, Tuning
from tests.support.made_boards import ERROR, SCORE, profile, row, student, table

SMALL, LARGE = student("small", width=8), student("large", width=64)
FEW = [0.0, 1.0, 1.5, 2.0, 3.0]


def made(tables: list[Table], profiles: list[Profile]) -> dict[str, Plane]:
    """Planes by their cost."""
    found = planes(Board(tables, []), profiles)
    assert len({plane.id for plane in found}) == len(found)
    return {plane.cost.split(" ")[0].strip(","): plane for plane in found}


def names(plane: Plane) -> list[tuple[str, str, bool]]:
    return [(point.row.student, point.row.strategy, point.best) for point in plane.points]


two = [
    table(row("good", 120.0, of=SMALL), row("poor", 90.0, of=SMALL)),
    table(row("good", 130.0, of=LARGE), row("poor", 110.0, of=LARGE)),
]
both = [
    profile(SMALL, {1: 1.0, 32: 5.0}, {1: 0.5, 32: 4.0}, parameters=3_500_000),
    profile(LARGE, {1: 8.0, 32: 50.0}, {1: 2.0, 32: 40.0}, parameters=70_000_000),
]


# The front


@given(st.lists(st.tuples(st.sampled_from(FEW), st.sampled_from(FEW)), max_size=12))
def test_the_front_is_what_nothing_dominates(points: list[tuple[float, float]]) -> None:
    def dominated(cost: float, score: float) -> bool:
        return any((a < cost and b >= score) or (a == cost and b > score) for a, b in points)

    assert front(points) == [not dominated(*point) for point in points]


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=12), st.randoms())
def test_the_front_does_not_depend_on_the_order(points: list[tuple[float, float]], chance: Any) -> None:
    order = list(range(len(points)))
    chance.shuffle(order)
    whole = front(points)
    assert front([points[place] for place in order]) == [whole[place] for place in order]
    assert whole[max(range(len(points)), key=lambda place: (points[place][1], -points[place][0]))]


def test_equals_are_on_the_front_together() -> None:
    assert front([(1.0, 5.0), (1.0, 5.0), (1.0, 4.0), (2.0, 5.0)]) == [True, True, False, False]


# Costs


def test_rows_stand_at_their_students_costs() -> None:
    found = made(two, both)
    assert list(found) == ["latency", "parameters"]
    assert [point.cost for point in found["latency"].points] == [1.5, 1.5, 10.0, 10.0]
    assert [point.cost for point in found["parameters"].points] == [3.5, 3.5, 70.0, 70.0]
    expected = [("small", "good", True), ("small", "poor", False), ("large", "good", True), ("large", "poor", False)]
    assert [names(plane) for plane in found.values()] == [expected, expected]
    assert found["latency"].cost == "latency of image + text, batch 1 (ms)"
    assert found["latency"].title == (
        "shapes test · latency on cpu (abacus), 1 thread, torch 2.6.0 · 2 epochs, 10 steps of 8 samples, untuned"
    )
    assert found["parameters"].cost == "parameters (M)"


def test_the_smallest_batch_is_one_that_both_towers_have() -> None:
    one = profile(SMALL, {1: 1.0, 8: 3.0, 32: 5.0}, {8: 2.0, 32: 4.0})
    plane = made(two[:1], [one])["latency"]
    assert {point.cost for point in plane.points} == {5.0}
    assert plane.cost == "latency of image + text, batch 8 (ms)"
    assert list(made(two[:1], [profile(SMALL, {1: 1.0}, {8: 2.0})])) == ["parameters"]


def test_a_student_is_known_by_what_it_is_not_by_its_name() -> None:
    renamed = table(row("good", 120.0, of=SMALL.replace(name="another")))
    assert len(made([renamed], both)["latency"].points) == 1
    assert made([table(row("good", 120.0, of=student("small", width=9)))], both) == {}


@pytest.mark.parametrize(
    "change",
    [{"device": "GPU"}, {"threads": 2}, {"versions": {"torch": "2.7.0"}}, {"host": {"id": "ffffffff", "cpu": "abacus"}}],
)
def test_times_of_two_machines_do_not_compare(change: dict[str, Any]) -> None:
    elsewhere = profile(LARGE, {1: 8.0}, {1: 2.0}, **change)
    found = planes(Board(two, []), [both[0], elsewhere])
    assert [{point.row.student for point in plane.points} for plane in found[:2]] in (
        [{"small"}, {"large"}],
        [{"large"}, {"small"}],
    )
    assert found[0].title != found[1].title
    (parameters,) = found[2:]
    assert {point.row.student for point in parameters.points} == {"small", "large"}


def test_a_student_profiled_twice_counts_once() -> None:
    again = profile(SMALL, {1: 3.0}, {1: 3.0}, host={"id": "ffffffff"})
    found = planes(Board(two[:1], []), [both[0], again])
    assert [len(plane.points) for plane in found] == [2, 2, 2]
    same_id = both[0].replace(parts=again.parts)
    assert {point.cost for point in made(two[:1], [both[0], same_id])["latency"].points} == {1.5}


def test_of_several_profiles_on_one_machine_the_fittest_counts() -> None:
    stable = profile(SMALL, {1: 1.0}, {1: 1.0}, measured="2025-01-02T00:00:00Z")
    later = profile(SMALL, {1: 2.0}, {1: 2.0}, measured="2025-01-03T00:00:00Z", unstable=True, reasons=["a busy machine"])
    resized = {"name": "shapes", "use": "shapes", "params": {"colours": 4}}
    other = profile(SMALL, {1: 4.0}, {1: 4.0}, measured="2025-01-04T00:00:00Z", dataset=resized)
    foreign = profile(
        SMALL, {1: 8.0}, {1: 8.0}, measured="2025-01-05T00:00:00Z", dataset={"name": "x", "use": "x", "params": {}}
    )
    every = [foreign, other, later, stable]
    costs = []
    while every:
        found = made(two[:1], every)
        costs.append(found["latency"].points[0].cost if "latency" in found else None)
        every.pop()
    assert costs == [2.0, 4.0, 8.0, None]


# Who is joined


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_digest": "e" * 64},
        {"task": PluginSpec(name="retrieval", use="retrieval", params={"recall_at": [1, 5]})},
        {"budget": Budget(epochs=3, steps=10, batch_size=8)},
        {"tuning": Tuning(split="validation", trials=12, metric="score")},
        {"smoke": True},
    ],
)
def test_what_does_not_compare_is_not_joined(change: dict[str, Any]) -> None:
    other = replace(two[1], protocol=two[1].protocol.replace(**change))
    found = planes(Board([two[0], other], []), both)
    assert [{point.row.student for point in plane.points} for plane in found] == [{"small"}] * 2 + [{"large"}] * 2
    assert len({plane.id for plane in found}) == 4
    assert all(plane.title.startswith("SMOKE") for plane in found[2:]) == change.get("smoke", False)


def test_references_are_joined_without_points() -> None:
    teachers = [row("", 200.0 + n, of=student(f"t{n}"), team=(), reference=True) for n in range(3)]
    tables = [replace(two[0], references=teachers[:2]), replace(two[1], references=teachers[1:])]
    for plane in made(tables, both).values():
        assert [reference.student for reference in plane.references] == ["t2", "t1", "t0"]
        assert len(plane.points) == 4


def test_rows_without_a_profile_are_told() -> None:
    for plane in made(two, both[:1]).values():
        assert {point.row.student for point in plane.points} == {"small"}
        assert plane.notes == ["large: not profiled here, so its 2 rows have no point"]
    assert made(two, []) == {}
    assert made([table()], both) == {}


def test_unstable_timings_are_told_where_there_are_times() -> None:
    shaky = profile(SMALL, {1: 1.0}, {1: 1.0}, unstable=True, reasons=["a busy machine"])
    found = made(two[:1], [shaky])
    assert found["latency"].notes == ["small: timings may not be repeatable (a busy machine)"]
    assert found["parameters"].notes == []


# What is more than chance


def test_behind_is_by_the_tests_of_a_table_and_by_intervals_between_tables() -> None:
    rows = [row(name, mean, of=SMALL) for name, mean in (("a", 120.0), ("b", 119.0), ("c", 60.0))]
    first = table(*rows, better=[(0, 1)])  # b's interval overlaps a's and c's does not: the test alone counts
    costly = [row(name, mean, of=LARGE) for name, mean in (("d", 114.9), ("e", 109.9))]  # a's interval begins at 115
    for plane in made([first, table(*costly)], both).values():
        assert {point.row.strategy: point.standing for point in plane.points} == {
            "a": "front",
            "b": "behind",
            "c": "open",
            "d": "open",
            "e": "behind",
        }


def test_what_costs_less_is_not_behind_what_costs_more() -> None:
    cheap, dear = table(row("a", 50.0, of=SMALL)), table(row("b", 150.0, of=LARGE))
    for plane in made([cheap, dear], both).values():
        assert [point.standing for point in plane.points] == ["front", "front"]


# Directions


def test_lower_is_better() -> None:
    """The same rows with negated means have the same standings."""
    means = {"good": 20.0, "fair": 15.0, "poor": 5.0}
    standings = []
    for metric, sign in ((SCORE, 1), (ERROR, -1)):
        tables = [
            table(
                *(row(name, sign * mean, of=SMALL, half=1.0, metric=metric) for name, mean in means.items()), better=[(0, 2)]
            ),
            table(row("good", sign * 10.0, of=LARGE, half=1.0, metric=metric)),
        ]
        plane = made(tables, both)["latency"]
        assert plane.metric == metric
        standings.append([(point.row.student, point.row.strategy, point.standing) for point in plane.points])
    assert standings[0] == standings[1]
    assert standings[0] == [
        ("small", "good", "front"),
        ("small", "fair", "open"),
        ("small", "poor", "behind"),
        ("large", "good", "behind"),
    ]


def test_references_are_best_first_in_the_metrics_direction() -> None:
    teachers = [row("", mean, of=student(f"t{mean:g}"), team=(), reference=True, metric=ERROR) for mean in (2.0, 1.0, 3.0)]
    tables = [replace(table(row("good", 5.0, of=SMALL, metric=ERROR)), references=teachers)]
    assert [one.student for one in made(tables, both)["parameters"].references] == ["t1", "t2", "t3"]
