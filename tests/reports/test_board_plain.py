"""Leaderboards for programs: what tables of a race and of regimes say."""

from __future__ import annotations

import csv
import io
import json

import pytest

from kdbench.reports import Board, build, render
from kdbench.suite.race import RaceDesign
from tests.support.rankings import row
from tests.support.situations import regime

RACE = RaceDesign(min_seeds=2, max_seeds=6, looks=3)


@pytest.fixture(scope="module")
def board() -> Board:
    """A race after its second look: `good` is found to be better than all others at it."""
    return build(regime("wrong", {"good": 1.5, "alone": 3.0}, seeds=4, race=RACE))


def test_json_tells_the_state_of_a_race(board: Board) -> None:
    (table,) = json.loads(render(board, "json"))["tables"]
    (shown,) = board.tables
    assert (table["id"], table["regime"], table["verdict"]) == (shown.id, "wrong", shown.sentence)
    assert shown.looks
    running = [row["id"] for row in table["rows"] if row["stopped"] == "running"]
    assert table["race"] == {
        "declared": list(RACE.seeds_at_looks),
        "tested": list(shown.looks.seeds),
        "spent": shown.looks.spent,
        "running": running,
    }
    best, *rest = table["rows"]
    assert (best["strategy"], best["stopped"], best["look"], best["worse_than"]) == ("good", "settled", 2, None)
    assert {(row["stopped"], row["look"], row["worse_than"]) for row in rest} == {("worse", 2, best["id"])}


def test_csv_tells_it_in_each_line(board: Board) -> None:
    lines = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    (shown,) = board.tables
    for line in lines:
        assert (line["table"], line["regime"], line["verdict"]) == (shown.id, "wrong", shown.sentence)
        assert line["race"].startswith(f"{RACE}: tested at 2")
    assert [(line["stopped"], line["look"]) for line in lines] == [("settled", "2"), ("worse", "2"), ("worse", "2")]
    assert [line["worse_than"] for line in lines] == ["", lines[0]["id"], lines[0]["id"]]


def test_before_the_first_look_rows_run() -> None:
    board = build(regime("wrong", {"good": 1.5}, seeds=1, race=RACE))
    (table,) = json.loads(render(board, "json"))["tables"]
    assert {(row["stopped"], row["look"]) for row in table["rows"]} == {("running", None)}
    assert table["race"]["tested"] == []
    assert {line["look"] for line in csv.DictReader(io.StringIO(render(board, "csv")))} == {""}


def test_tables_without_a_race_or_a_regime_have_the_same_keys_empty() -> None:
    board = build(row("equal"))
    (table,) = json.loads(render(board, "json"))["tables"]
    assert (table["race"], table["regime"], table["rows"][0]["stopped"], table["rows"][0]["look"]) == (None, "", "", None)
    (line,) = csv.DictReader(io.StringIO(render(board, "csv")))
    assert (line["table"], line["race"], line["regime"], line["stopped"]) == (board.tables[0].id, "", "", "")
