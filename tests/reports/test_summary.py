"""The summary of students: which rows stand for one, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kdbench.contracts import Metric
from kdbench.records.protocol import Budget
from kdbench.reports import build
from kdbench.reports.board import Board, Table
from kdbench.reports.summary import beside, lines_of, summaries
from kdbench.reports.verdict import Verdict
from tests.support.made_boards import DATASET, ERROR, SCORE, profile, row, student, table
from tests.support.situations import situations


def tables(**changes: Any) -> Table:
    """Equal weights are best, one teacher is as good, no distillation behind."""
    of = changes.pop("of", None)
    rows = [
        row("equal", 100.0, of=of, **changes),
        row("", 99.0, team=("a",), of=of, **changes),
        row("", 50.0, team=(), of=of, **changes),
    ]
    return table(*rows, better=[(0, 2), (1, 2)], verdict=Verdict("equivalent", use=1, candidates=(0, 1)))


def test_the_best_the_cheapest_and_the_undistilled_row() -> None:
    lines = lines_of(tables())
    assert [line.label for line in lines] == ["best: equal of a + b", "cheapest: a alone", "no distillation"]


def test_a_row_stands_once_with_all_that_it_is() -> None:
    alone, taught = row("", 100.0, team=()), row("equal", 99.0)
    undecided = table(alone, taught, verdict=Verdict("undecided", candidates=(0, 1)))
    assert [line.label for line in lines_of(undecided)] == ["best and cheapest: no distillation"]
    assert lines_of(undecided)[0].kinds == ("best", "cheapest", "no distillation")
    winner = table(taught, alone, better=[(0, 1)], verdict=Verdict("winner", use=0, candidates=(0,)))
    assert [line.label for line in lines_of(winner)] == ["best: equal of a + b", "no distillation"]
    lone = table(row("equal"), verdict=Verdict("one row", use=0, candidates=(0,)))
    assert [line.label for line in lines_of(lone)] == ["best: equal of a + b"]


def test_the_cheapest_of_an_undecided_table_is_not_called_as_good() -> None:
    decided = tables()
    (told,) = summaries(Board([decided], []))
    assert [note for note in told.notes if "cheapest" in note and "may still be worse" not in note]
    undecided = replace(decided, verdict=Verdict("undecided", candidates=(0, 1)))
    (told,) = summaries(Board([decided, undecided], []))
    assert [note for note in told.notes if note.endswith("where a table is undecided, it may still be worse")]
    assert [line.label for line in lines_of(undecided)] == ["best: equal of a + b", "cheapest: a alone", "no distillation"]


def test_a_student_costs_what_its_profile_says_on_the_machine_that_timed_the_most() -> None:
    small, large = student("small", width=1), student("large", width=2)
    here = [profile(one, {1: 2.0, 32: 9.0}, {1: 0.5, 32: 4.0}, size_bytes=8_000_000) for one in (small, large)]
    there = profile(small, {1: 77.0}, {1: 1.0}, host={"id": "ffffffff", "cpu": "a quipu"}, measured="2024-01-01T00:00:00Z")
    (found,) = summaries(Board([tables(of=small), tables(of=large)], []), [there, *here])
    assert [one.name for one in found.students] == ["small", "large"]
    for one in found.students:
        assert one.cost is not None
        assert (one.cost.parameters, one.cost.gflops, one.cost.latency, one.cost.size_mb) == (2.0, 2e-9, 2.5, 8.0)
    assert "batch 1" in found.latency
    assert "abacus" in found.latency


def test_a_student_that_was_not_measured_has_no_cost() -> None:
    (found,) = summaries(Board([tables(of=student("small", width=1)), tables()], []), [profile(student(), {1: 2.0}, {1: 0.5})])
    assert [one.cost is None for one in found.students] == [True, False]
    (none,) = summaries(Board([tables()], []))
    assert (none.students[0].cost, none.latency) == (None, "")


def test_students_are_told_apart_by_what_their_tables_differ_in() -> None:
    def names(*tables: Table) -> list[str]:
        (found,) = summaries(Board(list(tables), []))
        return [one.name for one in found.students]

    letters = DATASET.replace(name="letters")
    assert names(tables(), tables(dataset=letters)) == ["pebble · shapes", "pebble · letters"]
    assert names(tables(), tables(dataset=letters, of=student("rock"))) == ["pebble", "rock"]
    longer = tables()
    longer = replace(longer, protocol=longer.protocol.replace(budget=Budget(epochs=30, steps=300, batch_size=8)))
    more = replace(longer, protocol=longer.protocol.replace(budget=Budget(epochs=30, steps=999, batch_size=8)))
    assert names(tables(), longer) == ["pebble · 2 epochs", "pebble · 30 epochs"]
    assert names(longer, more) == [f"pebble · 30 epochs, {steps} steps of 8 samples" for steps in (300, 999)]
    assert names(tables(), tables()) == [f"pebble · {tables().id}"] * 2


def test_tables_of_other_metrics_have_a_summary_of_their_own() -> None:
    found = summaries(Board([tables(), tables(metric=ERROR)], []))
    assert [one.headline for one in found] == [SCORE, ERROR]
    assert summaries(Board([table(references=[row(reference=True)])], [])) == []


def test_of_each_group_of_metrics_the_most_important_is_shown() -> None:
    def metric(name: str, priority: int, **more: Any) -> Metric:
        return Metric(name, name, priority=priority, **more)

    there, back = ([metric(f"{way}{k}", 9 - k, group=way) for k in (5, 1, 3)] for way in ("there", "back"))
    hidden = metric("hidden", 9, group="there", shown=False)
    assert [one.name for one in beside([*there, hidden, *back, metric("own", 9), SCORE])] == ["there1", "back1"]
    assert [one.name for one in beside([metric("a", 1), metric("b", 3), SCORE, metric("c", 2)])] == ["b", "c"]
    assert beside([SCORE]) == ()


def test_regimes_of_one_student_are_named_without_it() -> None:
    (found,) = summaries(build(situations()))
    assert found.what == "regime"
    assert [one.name for one in found.students] == ["alike", "mixed", "wrong"]
    (plain,) = summaries(Board([tables()], []))
    assert plain.what == "student"


def test_weights_that_somebody_was_told_are_not_offered() -> None:
    board = build(situations())
    assert any(table.rows[0].strategy == "told" for table in board.tables)
    shown = [line.row.strategy for summary in summaries(board) for student in summary.students for line in student.lines]
    assert "good" in shown
    assert "told" not in shown
