"""Runs to rows and tables: what is averaged, what may be compared, and why it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.errors import RecordError
from kdbench.reports import Board, Measured, build
from kdbench.reports.render import plain
from kdbench.tasks.retrieval.ranks import Ranks
from tests.support.rankings import DIGEST, row


def names(board: Board) -> list[list[str]]:
    return [[one.name for one in table.rows] for table in board.tables]


TOY = {"name": "toy", "use": "toy", "params": {}}
LONGER = {"train": {"epochs": 4, "batch_size": 8}}
RINGS = row("b", dataset_digest="f" * 64, spec={"dataset": {"name": "rings", "use": "beads", "params": {}}})
NONE, ALONE, OTHER = row("none", 3.5, team=()), row("a", 3.0, team=("a",)), row("b", 3.2, team=("b",), draw=5)
EQUAL, AMMKD = row("equal", 2.0, draw=1), row("ammkd", 1.9, draw=2)


def test_no_runs() -> None:
    assert build([]) == Board([], [])


def test_a_row_is_a_cell_over_its_seeds_best_first() -> None:
    (table,) = build([*NONE, *EQUAL[::-1], *ALONE, *OTHER]).tables
    assert [one.name for one in table.rows] == ["equal of a + b", "a alone", "b alone", "no teacher"]
    equal = table.rows[0]
    assert equal.seeds == (0, 1, 2)
    assert list(equal.by_seed.values()) == [one.record.metrics["rsum"] for one in EQUAL]
    assert equal.values["rsum"].mean == pytest.approx(np.mean(list(equal.by_seed.values())))
    assert equal.values["rsum"].low < equal.values["rsum"].mean < equal.values["rsum"].high
    assert equal.weights == {"a": 0.5, "b": 0.5}
    assert (equal.team, equal.strategy, equal.teachers, equal.reference) == (("a", "b"), "equal", "a + b", False)
    assert table.better[0].tolist() == [False, True, True, True]
    assert table.missing == []


def test_title_and_split_say_what_was_measured() -> None:
    (table,) = build(EQUAL).tables
    assert table.title == "beads test · toy · 2 epochs, 10 steps of 8 pairs, untuned"
    assert table.split == f"40 images, 80 captions, 40 concepts; digest {DIGEST[:8]}"
    (smoke,) = build(row("equal", spec={"smoke": True}), smoke=True).tables
    assert smoke.title.startswith("SMOKE, not publishable: beads test")
    assert smoke.id != table.id


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("dataset (beads (digest eeeeeeee); rings (digest ffffffff))", RINGS),
        ("sample budget (2 epochs, 10 steps of 8 pairs; 4 epochs, 10 steps of 8 pairs)", row("b", spec=LONGER)),
        ("student (tall; toy)", row("b", spec={"student": TOY | {"name": "tall"}})),
        (
            "the student's initialisation or parameters, under one name",
            row("b", spec={"student": TOY | {"params": {"pretrained": "laion"}}}),
        ),
        ("protocol", row("b", spec={"evaluate": {"recall_at": [1, 5], "every": 1}})),
        (
            "tuning budget (12 trials on validation; untuned)",
            row("b", spec={"tuning": {"split": "validation", "trials": 12}}),
        ),
    ],
)
def test_what_does_not_compare_is_another_table_and_it_says_why(what: str, other: list[Measured]) -> None:
    board = build([*row("a"), *other])
    assert len(board.tables) == 2
    assert len({table.id for table in board.tables}) == 2
    (note,) = board.notes
    assert note.startswith("2 tables, for rows do not compare that differ in ")
    assert what in note
    for other_part in {"dataset", "student", "budget", "protocol"} - set(what.replace("'s", "").split()):
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
    assert (reference.name, reference.teachers, reference.student) == ("teacher as it is", "as it is", "teacher")


def test_references_alone_are_a_table_too() -> None:
    teachers = [*row("far", 3.0, seeds=[0], role="reference"), *row("near", 1.0, seeds=[0], role="reference")]
    (table,) = build(teachers).tables
    assert table.rows == []
    assert [one.student for one in table.references] == ["near", "far"]
    assert table.verdict.startswith("No student has been trained here yet")


def test_smoke_runs_are_left_out_and_counted() -> None:
    board = build([*EQUAL, *row("ammkd", spec={"smoke": True})])
    assert names(board) == [["equal of a + b"]]
    assert board.notes == ["3 rows of smoke runs left out: they show that things work, not how well"]


def test_runs_without_figures_are_notes() -> None:
    failed = EQUAL[0].record.model_copy(update={"status": "failed", "reason": "out of memory"})
    assert build([], [failed]).notes == ["toy · a+b · equal · seed 0: failed: out of memory"]


def test_runs_with_damaged_ranks_are_notes_and_the_rest_is_there() -> None:
    def broken() -> Ranks:
        raise RecordError("x.npz: cut short")

    board = build([replace(EQUAL[0], ranks=broken), *EQUAL[1:], *(replace(one, ranks=broken) for one in AMMKD)])
    assert [[one.seeds for one in table.rows] for table in board.tables] == [[(1, 2)]]
    assert len(board.notes) == 4
    assert board.notes[0] == "toy · a+b · equal · seed 0: left out: x.npz: cut short"
    nothing = build([replace(EQUAL[0], ranks=broken)])
    assert (nothing.tables, len(nothing.notes)) == ([], 1)


@pytest.mark.parametrize(
    ("runs", "missing"),
    [
        ([NONE, ALONE, OTHER, EQUAL, AMMKD], []),
        ([ALONE, OTHER, EQUAL], ["no teacher"]),
        ([NONE, ALONE, EQUAL], ["b alone"]),
        ([NONE, ALONE, OTHER, AMMKD], ["equal of a + b"]),
        ([AMMKD], ["no teacher", "a alone", "b alone", "equal of a + b"]),
        ([NONE], []),
    ],
)
def test_baselines_that_are_missing_are_named(runs: list[list[Measured]], missing: list[str]) -> None:
    (table,) = build([one for several in runs for one in several]).tables
    assert table.missing == missing


def test_variants_are_rows_of_their_own() -> None:
    varied = row("equal", 2.0, draw=1, spec={"variant": "fusion off"})
    (table,) = build([*EQUAL, *varied]).tables
    assert {one.name for one in table.rows} == {"equal of a + b", "fusion off: equal of a + b"}


def test_reconstructions_are_those_of_all_runs() -> None:
    runs = [
        replace(one, record=one.record.model_copy(update={"reconstructions": [name]}))
        for one, name in zip(EQUAL, "xyx", strict=True)
    ]
    assert build(runs).tables[0].rows[0].reconstructions == ("x", "y")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(order=st.permutations(range(9)))
def test_the_order_of_runs_does_not_matter(order: list[int]) -> None:
    everyone = [*EQUAL, *AMMKD, *NONE]
    assert plain(build([everyone[i] for i in order])) == plain(build(everyone))
