"""Rows by what a person calls them."""

from __future__ import annotations

import pytest

from kdbench.errors import KdbenchError
from kdbench.reports import Board, build
from kdbench.reports.find_rows import find_pair, pair_names
from kdbench.suite.settings import Train
from tests.support.rankings import row
from tests.support.situations import situations
from tests.support.toys import plugged

LONGER = {"train": {"epochs": 4, "batch_size": 8}}


@pytest.fixture(scope="module")
def board() -> Board:
    """Two budgets; `mgda` has one of them alone."""
    short = [*row("equal"), *row("ammkd"), *row("x", team=("a",)), *row("y", team=())]
    return build([*short, *row("equal", spec=LONGER), *row("ammkd", spec=LONGER), *row("mgda")])


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("mgda", "mgda of a + b"),
        ("MGDA of a + b", "mgda of a + b"),
        ("mgda of a+b", "mgda of a + b"),
        ("a", "a alone"),
        ("a alone", "a alone"),
        ("no distillation", "no distillation"),
        ("No Distillation", "no distillation"),
    ],
)
def test_names(board: Board, called: str, name: str) -> None:
    other = "mgda" if name != "mgda of a + b" else "a"
    assert find_pair(board, called, other)[0].name == name
    assert find_pair(board, other, called)[1].name == name


def test_ids_of_runs_and_of_rows_and_how_they_begin(board: Board) -> None:
    one = next(table.rows[0] for table in board.tables if len(table.rows) > 3)
    for called in (one.id, one.id[:6], one.runs[0].record.run_id, one.runs[-1].record.run_id[:8]):
        other = "mgda" if one.strategy != "mgda" else "a alone"
        assert find_pair(board, called, other)[0].id == one.id


def test_rows_of_one_table_are_meant(board: Board) -> None:
    """`equal` is in two tables, `mgda` in one."""
    equal, mgda = find_pair(board, "equal", "mgda")
    assert equal.spec.train == mgda.spec.train == Train(epochs=2, batch_size=8)


def test_several_pairs_are_listed_with_their_ids(board: Board) -> None:
    with pytest.raises(KdbenchError, match="may be any of these") as caught:
        find_pair(board, "equal", "ammkd")
    ids = [row.id for table in board.tables for row in table.rows if row.strategy in ("equal", "ammkd")]
    assert all(id in str(caught.value) for id in ids)
    for table in board.tables:  # which is which, where only the table tells
        lines = [line for line in str(caught.value).splitlines() if line.endswith(f" · {table.budget}, {table.tuning}")]
        assert len(lines) == len([row for row in table.rows if row.strategy in ("equal", "ammkd")])


def test_unknown_and_the_same(board: Board) -> None:
    with pytest.raises(KdbenchError, match=r"no row is called 'mgd of a \+ b'.*mgda of a \+ b"):
        find_pair(board, "mgd of a + b", "equal")
    with pytest.raises(KdbenchError, match="are the same row, mgda"):
        find_pair(board, "mgda", "mgda of a + b")
    with pytest.raises(KdbenchError, match="there are no finished runs"):
        find_pair(Board([], []), "a", "b")


def test_references_are_called_by_their_name() -> None:
    found = build([*row("equal"), *row("lens", seeds=[0], role="reference")])
    assert find_pair(found, "lens (teacher itself)", "equal")[0].reference
    with pytest.raises(KdbenchError, match="no row is called 'teacher itself'"):
        find_pair(found, "teacher itself", "equal")


def test_rows_of_regimes_are_told_apart_and_called_by_their_regime() -> None:
    found = build(situations())
    with pytest.raises(KdbenchError, match=r"by their ids, or in full, as in '.*: good of a \+ b'") as caught:
        find_pair(found, "good", "equal")
    listed = str(caught.value).splitlines()[1:]
    assert {line.split(" · ")[1].split(": ")[0] for line in listed} == {"alike", "wrong", "mixed"}
    for called in ("wrong: good", "Wrong: good of a + b"):
        one, other = find_pair(found, called, "equal")
        assert (one.variant, one.strategy, other.variant, other.strategy) == ("wrong", "good", "wrong", "equal")
    alone = find_pair(found, "mixed: a", "mixed: good")[0]
    assert (alone.variant, alone.team) == ("mixed", ("a",))
    with pytest.raises(KdbenchError, match=r"no row is called 'wrong: god'; did you mean 'wrong: good'\?"):
        find_pair(found, "wrong: god", "equal")


def test_rows_of_variants_are_called_by_their_variant() -> None:
    found = build([*row("equal", spec={"variant": "full"}), *row("equal", spec={"variant": "short"}), *row("mgda")])
    for called in ("short: equal", "short: equal of a + b"):
        assert find_pair(found, called, "mgda")[0].variant == "short"


def test_rows_of_several_students_are_called_by_their_student() -> None:
    large = {"student": plugged("toy", "large")}
    found = build([*row("equal"), *row("mgda"), *row("equal", spec=large), *row("mgda", spec=large)])
    with pytest.raises(KdbenchError, match=r"by their ids, or in full, as in '[^']+: equal of a \+ b'"):
        find_pair(found, "equal", "mgda")
    for called in ("large: equal", "Large: equal of a+b"):
        one, other = find_pair(found, called, "mgda")
        assert (one.student, one.strategy, other.student, other.strategy) == ("large", "equal", "large", "mgda")
    every = [one for table in found.tables for one in table.rows]
    for one in every:
        for other in every:
            if one.id != other.id:
                assert [row.id for row in find_pair(found, *pair_names(found, one, other))] == [one.id, other.id]


def test_rows_of_one_name_are_told_apart_by_their_ids(board: Board) -> None:
    short, longer = (
        next(row for row in table.rows if row.strategy == "equal") for table in board.tables if len(table.rows) > 1
    )
    assert pair_names(board, short, longer) == (f"equal of a + b ({short.id})", f"equal of a + b ({longer.id})")
    assert {row.id for row in find_pair(board, "equal", "equal")} == {short.id, longer.id}
