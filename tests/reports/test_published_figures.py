"""The leaderboard of the published records has the figures that it had before records were typed, to ten digits.

`published_figures.json` keeps them in the words of that time; runs that were published later are left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kdbench.records.reading import read_measured
from kdbench.reports import Board, Row, Table, build
from tests.support.paths import ROOT

BEFORE: dict[str, Any] = json.loads((Path(__file__).parent / "published_figures.json").read_bytes())


def now(words: str) -> str:
    """What a row or a table is called today."""
    words = words.replace("no teacher", "no distillation").replace(" pairs", " samples")
    return re.sub(r"^(.*) as it is$", r"\1 (teacher itself)", words)


def same(row: Row, before: dict[str, Any]) -> None:
    assert row.name == now(before["name"])
    assert [run.record.run_id for run in row.runs] == before["runs"]
    gained = {metric.name for metric in row.runs[0].task.metrics if not metric.required}  # since these figures were published
    assert [name for name in row.values if name not in gained] == list(before["values"])
    for metric, (mean, low, high) in before["values"].items():
        value = row.values[metric]
        assert (value.mean, value.low, value.high) == pytest.approx((mean, low, high), rel=1e-10, abs=1e-10)
    assert row.weights == pytest.approx(before["weights"], rel=1e-10)
    assert {str(seed): value for seed, value in row.by_seed.items()} == pytest.approx(before["by_seed"], rel=1e-10)
    for name, figure in before["cost"].items():
        found = getattr(row.cost, name)
        assert (found is None) == (figure is None), name
        if name == "teacher_seconds":  # the others were means and are medians
            assert found == pytest.approx(figure, rel=1e-10)


@pytest.fixture(scope="module")
def board() -> Board:
    known = set(BEFORE["runs"].split())
    reading = read_measured([ROOT / "results"])
    assert reading.problems == []
    found = [run for run in reading.runs if run.record.run_id in known]
    assert len(found) == len(known)
    return build(found, (), reading.units)


@pytest.fixture(scope="module")
def tables(board: Board) -> dict[str, Table]:
    return {table.title: table for table in board.tables}


def test_no_table_is_lost(tables: dict[str, Table]) -> None:
    assert set(tables) == set(map(now, BEFORE["tables"]))


@pytest.mark.parametrize("title", BEFORE["tables"])
def test_figures_ranks_and_groups(tables: dict[str, Table], title: str) -> None:
    table, before = tables[now(title)], BEFORE["tables"][title]
    for row, figures in zip(table.rows, before["rows"], strict=True):
        same(row, figures)
        assert [row.first, row.last] == figures["rank"]
        assert (row.group, row.bold) == (figures["group"], figures["bold"])
    assert [[int(one) for one in line] for line in table.better] == [[int(one) for one in line] for line in before["better"]]
    assert table.missing == list(map(now, before["missing"]))


@pytest.mark.parametrize("title", BEFORE["tables"])
def test_references(tables: dict[str, Table], title: str) -> None:
    table = tables[now(title)]
    for row, figures in zip(table.references, BEFORE["references"], strict=True):
        same(row, figures)
