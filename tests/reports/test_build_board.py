"""Runs to rows and tables: what is averaged, what may be compared, and why it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.records.measured import Measured
from kdbench.reports import Board, build
from kdbench.reports.board_plain import plain
from tests.support.directed import ERROR, SCORE, runs_of
from tests.support.rankings import DIGEST, HEADLINE, broken, changed, row
from tests.support.situations import regime
from tests.support.toys import plugged, retrieval_spec


def names(board: Board) -> list[list[str]]:
    return [[one.name for one in table.rows] for table in board.tables]


LONGER = {"train": {"epochs": 4, "batch_size": 8}}
RINGS = row("b", dataset_digest="f" * 64, spec={"dataset": plugged("beads", "rings")})
NONE, ALONE, OTHER = row("none", 3.5, team=()), row("a", 3.0, team=("a",)), row("b", 3.2, team=("b",), draw=5)
EQUAL, AMMKD = row("equal", 2.0, draw=1), row("ammkd", 1.9, draw=2)


def test_no_runs() -> None:
    assert build([]) == Board([], [])


def test_a_row_is_a_cell_over_its_seeds_best_first() -> None:
    (table,) = build([*NONE, *EQUAL[::-1], *ALONE, *OTHER]).tables
    assert [one.name for one in table.rows] == ["equal of a + b", "a alone", "b alone", "no distillation"]
    equal = table.rows[0]
    assert equal.seeds == (0, 1, 2)
    assert list(equal.by_seed.values()) == [one.record.metrics[HEADLINE] for one in EQUAL]
    assert equal.values[HEADLINE].mean == pytest.approx(np.mean(list(equal.by_seed.values())))
    assert equal.values[HEADLINE].low < equal.values[HEADLINE].mean < equal.values[HEADLINE].high
    assert equal.weights == {"a": 0.5, "b": 0.5}
    assert (equal.team, equal.strategy, equal.teachers, equal.reference) == (("a", "b"), "equal", "a + b", False)
    assert table.better[0].tolist() == [False, True, True, True]
    assert table.missing == []


def test_title_and_split_say_what_was_measured() -> None:
    (table,) = build(EQUAL).tables
    assert table.title == "beads test · toy · 2 epochs, 10 steps of 8 samples, untuned"
    assert table.split == f"40 images, 80 captions, 40 concepts; digest {DIGEST[:8]}"
    assert (table.dataset, table.digest, table.student, table.tuning) == ("beads", DIGEST, "toy", "untuned")
    assert [metric.label for metric in table.shown][-2:] == [table.headline.label, "mean log-rank"] == ["RSUM", "mean log-rank"]
    (smoke,) = build(row("equal", spec={"smoke": True}), smoke=True).tables
    assert smoke.title.startswith("SMOKE, not publishable: beads test")
    assert smoke.id != table.id


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("dataset (beads (digest eeeeeeee); rings (digest ffffffff))", RINGS),
        ("sample budget (2 epochs, 10 steps of 8 samples; 4 epochs, 10 steps of 8 samples)", row("b", spec=LONGER)),
        ("student (tall; toy)", row("b", spec={"student": plugged("toy", "tall")})),
        (
            "the student's initialisation or parameters, under one name",
            row("b", spec={"student": plugged("toy", pretrained="laion")}),
        ),
        (
            "task (retrieval (recall_at [1, 5, 10]); retrieval (recall_at [1, 5]))",
            row("b", spec={"task": retrieval_spec(1, 5)}),
        ),
        (
            "tuning budget (12 trials on validation; untuned)",
            row("b", spec={"tuning": {"split": "validation", "trials": 12, "metric": HEADLINE}}),
        ),
    ],
)
def test_what_does_not_compare_is_another_table_and_it_says_why(what: str, other: list[Measured]) -> None:
    board = build([*row("a"), *other])
    assert len(board.tables) == 2
    assert len({table.id for table in board.tables}) == 2
    (note,) = board.notes
    assert note.startswith("2 tables: rows do not compare if they differ in ")
    assert what in note
    for other_part in {"dataset", "student", "budget", "task"} - set(what.replace("'s", "").split()):
        assert other_part not in note


def test_each_run_counts_once() -> None:
    (table,) = build([*EQUAL, *EQUAL]).tables
    assert [len(one.runs) for one in table.rows] == [3]


def test_references_join_every_table_of_their_split_unranked() -> None:
    teacher = row("teacher", 1.0, seeds=[0], role="reference")
    board = build([*teacher, *EQUAL, *row("equal", spec=LONGER), *RINGS])
    assert sorted(len(table.references) for table in board.tables) == [0, 1, 1]
    (reference,) = next(table.references for table in board.tables if table.references)
    assert (reference.first, reference.last, reference.group, reference.bold) == (0, 0, 0, False)
    assert (reference.name, reference.teachers, reference.student) == ("teacher (teacher itself)", "teacher itself", "teacher")


def test_references_alone_are_a_table_too() -> None:
    teachers = [*row("far", 3.0, seeds=[0], role="reference"), *row("near", 1.0, seeds=[0], role="reference")]
    (table,) = build(teachers).tables
    assert table.rows == []
    assert [one.student for one in table.references] == ["near", "far"]
    assert table.sentence.startswith("No student has been trained here yet")


def test_smoke_runs_are_left_out_and_counted() -> None:
    board = build([*EQUAL, *row("ammkd", spec={"smoke": True})])
    assert names(board) == [["equal of a + b"]]
    assert board.notes == ["3 smoke runs left out: they show that things work, not how well"]


def test_runs_without_figures_are_notes() -> None:
    failed = changed(EQUAL[0], status="failed", reason="out of memory").record
    assert build([], [failed]).notes == ["toy · a+b · equal · seed 0: failed: out of memory"]


def test_seeds_that_ended_for_one_reason_are_one_note() -> None:
    skipped = [changed(one, status="skipped", reason="no candidates").record for one in reversed(EQUAL)]
    other = changed(EQUAL[0], status="failed", reason="out of memory").record
    told = ["toy · a+b · equal · seed 0: failed: out of memory", "toy · a+b · equal · seeds 0, 1, 2: skipped: no candidates"]
    assert build([], [*skipped, other]).notes == told


def test_runs_with_damaged_arrays_are_notes_and_the_rest_is_there() -> None:
    damaged = [broken(one, "x.npz: cut short") for one in (EQUAL[0], *AMMKD)]
    board = build([*damaged, *EQUAL[1:]])
    assert [[one.seeds for one in table.rows] for table in board.tables] == [[(1, 2)]]
    assert len(board.notes) == 4
    assert board.notes[0] == "toy · a+b · equal · seed 0: left out: x.npz: cut short"
    nothing = build(damaged[:1])
    assert (nothing.tables, len(nothing.notes)) == ([], 1)


@pytest.mark.parametrize(
    ("runs", "missing"),
    [
        ([NONE, ALONE, OTHER, EQUAL, AMMKD], []),
        ([ALONE, OTHER, EQUAL], ["no distillation"]),
        ([NONE, ALONE, EQUAL], ["b alone"]),
        ([NONE, ALONE, OTHER, AMMKD], ["equal of a + b"]),
        ([AMMKD], ["no distillation", "a alone", "b alone", "equal of a + b"]),
        ([NONE], []),
    ],
)
def test_baselines_that_are_missing_are_named(runs: list[list[Measured]], missing: list[str]) -> None:
    (table,) = build([one for several in runs for one in several]).tables
    assert table.missing == missing


def test_a_regime_needs_one_single_teacher() -> None:
    assert build(regime("alike", {"none": 3.0})).tables[0].missing == ["a alone", "b alone"]
    assert build(regime("alike", {"none": 3.0, "alone": 3.0})).tables[0].missing == []


def test_variants_are_rows_of_their_own() -> None:
    varied = row("equal", 2.0, draw=1, spec={"variant": "fusion off"})
    (table,) = build([*EQUAL, *varied]).tables
    assert {one.name for one in table.rows} == {"equal of a + b", "fusion off: equal of a + b"}


def test_reconstructions_are_those_of_all_runs() -> None:
    runs = [changed(one, reconstructions=[name]) for one, name in zip(EQUAL, "xyx", strict=True)]
    assert build(runs).tables[0].rows[0].reconstructions == ("x", "y")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(order=st.permutations(range(9)))
def test_the_order_of_runs_does_not_matter(order: list[int]) -> None:
    everyone = [*EQUAL, *AMMKD, *NONE]
    assert plain(build([everyone[i] for i in order])) == plain(build(everyone))


def test_the_same_teacher_of_two_suites_is_one_reference() -> None:
    teachers = [row("teacher", 1.0, seeds=[0], role="reference", spec={"suite": name}) for name in ("one", "other")]
    (table,) = build([*EQUAL, *teachers[0], *teachers[1]]).tables
    assert [one.name for one in table.references] == ["teacher (teacher itself)"]


RACE = {"race": {"min_seeds": 2, "max_seeds": 4, "looks": 2}}


def test_a_race_whose_rows_have_all_seeds_has_ended() -> None:
    raced = [row(name, 3.0, seeds=range(4), draw=draw, spec=RACE) for draw, name in enumerate(("equal", "ammkd", "mgda"))]
    (table,) = build([run for one in raced for run in one]).tables
    assert [one.stopped for one in table.rows] == ["all seeds"] * 3
    assert "; the race has ended at 4 seeds; " in table.sentence
    assert "more seeds would decide" not in table.sentence
    (table,) = build([run for one in raced for run in one[:2]]).tables
    assert [one.stopped for one in table.rows] == ["running"] * 3
    assert "more seeds would decide" in table.sentence


def test_a_raced_row_whose_run_failed_has_stopped() -> None:
    equal, ammkd, mgda = (row(name, 3.0, seeds=range(4), draw=draw, spec=RACE) for draw, name in enumerate("abc"))
    lost = changed(mgda[2], status="failed", reason="out of memory").record
    (table,) = build([*equal, *ammkd, *mgda[:2]], [lost]).tables
    assert {one.strategy: one.stopped for one in table.rows} == {"a": "all seeds", "b": "all seeds", "c": "failed"}
    assert table.looks
    assert table.looks.running == []
    assert "a run of c has no figures; once it has, the race goes on" in table.sentence


@pytest.mark.parametrize(("metric", "order"), [(SCORE, ["high", "low"]), (ERROR, ["low", "high"])])
def test_rows_and_references_are_best_first_in_the_metrics_direction(metric: Any, order: list[str]) -> None:
    rng = np.random.default_rng(0)
    means = {"low": 1.0, "high": 2.0}
    values = {name: mean + rng.normal(0, 0.1, (3, 30)) for name, mean in means.items()}
    runs = [run for name, one in values.items() for kind in (False, True) for run in runs_of(name, one, metric, reference=kind)]
    (table,) = build(runs).tables
    assert [one.strategy for one in table.rows] == order
    assert [one.student for one in table.references] == order
    assert table.sentence == f"Use {order[0]} of a + b: it is significantly better than every other row."
    assert list(table.rows[0].by_seed.values()) == pytest.approx(values[order[0]].mean(axis=1))
    assert table.split == "30 samples; digest dddddddd"
