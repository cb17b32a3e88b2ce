"""A leaderboard in its four formats, read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest

from kdbench.leaderboard import FORMATS, Board, build, render
from kdbench.plan import RunSpec
from kdbench.records import Record

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


@pytest.fixture
def board(spec: Spec, record: Make) -> Board:
    """Two seeds with a team, one without teachers, one that failed."""
    plain = spec(team=[], strategy=None, objective=[])
    team = [record(spec(seed=seed), rsum=rsum, weights={"a": 0.25, "b": 0.75}) for seed, rsum in enumerate([100.0, 110.0])]
    return build([*team, record(plain, rsum=88.0), record(spec(seed=2), status="failed", reason="out of memory")])


def test_markdown(board: Board) -> None:
    lines = render(board, "markdown").splitlines()
    assert lines[0] == f"**{board.tables[0].title}**"
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert table[0] == [
        *("student", "teachers", "strategy", "n", "t2i R@1", "t2i R@5", "i2t R@1", "i2t R@5", "RSUM", "mean weights"),
    ]
    assert all(set(cell) <= set(":-") for cell in table[1])
    assert table[2] == ["pebble", "a + b", "equal", "2", *["26.2 ± 1.8"] * 4, "105.0 ± 7.1", "a 0.25, b 0.75"]
    assert table[3] == ["pebble", "none", "–", "1", *["22.0"] * 4, "88.0", ""]
    assert lines[-1] == "- pebble · a+b · equal · seed 2: failed: out of memory"
    assert len(table) == 4


def test_markdown_keeps_its_columns(spec: Spec, record: Make) -> None:
    """A label with a pipe in it is one cell."""
    run = spec(strategy={"name": "half|half", "use": "equal", "params": {}})
    rows = [line for line in render(build([record(run)]), "markdown").splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1


def test_table(board: Board) -> None:
    lines = render(board).splitlines()
    assert lines[0] == board.tables[0].title
    assert lines[2].split()[:5] == ["student", "teachers", "strategy", "n", "t2i"]
    assert lines[4].split()[-7:] == ["105.0", "±", "7.1", "a", "0.25,", "b", "0.75"]
    assert lines[5].rstrip().endswith("88.0")
    assert lines[-1].endswith("failed: out of memory")


def test_csv(board: Board) -> None:
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert [(row["student"], row["teachers"], row["strategy"], row["n"]) for row in rows] == [
        ("pebble", "a + b", "equal", "2"),
        ("pebble", "none", "–", "1"),
    ]
    assert float(rows[0]["rsum mean"]) == 105.0
    assert float(rows[0]["rsum std"]) == board.tables[0].rows[0].values["rsum"].std
    assert rows[1]["rsum std"] == ""
    assert float(rows[1]["text_retrieval_recall@5 mean"]) == 22.0
    assert rows[0]["dataset_digest"] == "d" * 64


def test_csv_quotes(spec: Spec, record: Make) -> None:
    name = 'one, "two"'
    run = spec(student={"name": name, "use": "pebble", "params": {}})
    (row,) = csv.DictReader(io.StringIO(render(build([record(run)]), "csv")))
    assert row["student"] == name


def test_json(board: Board) -> None:
    content = json.loads(render(board, "json"))
    (table,) = content["tables"]
    assert table["rows"][0]["values"]["rsum"]["mean"] == 105.0
    assert table["rows"][1]["values"]["rsum"] == {"mean": 88.0, "std": None}
    assert table["recall_at"] == [1, 5]
    assert content["notes"] == ["pebble · a+b · equal · seed 2: failed: out of memory"]


def test_columns_are_the_way_they_are_named(spec: Spec, record: Make) -> None:
    """t2i is texts retrieving images: CLIP_benchmark's image_retrieval."""
    metrics = {"image_retrieval_recall@1": 0.1, "image_retrieval_recall@5": 0.2}
    metrics |= {"text_retrieval_recall@1": 0.3, "text_retrieval_recall@5": 0.4, "rsum": 100.0}
    cells = render(build([record(spec(), metrics=metrics)]), "markdown").splitlines()[4].split("|")
    assert [cell.strip() for cell in cells[5:10]] == ["10.0", "20.0", "30.0", "40.0", "100.0"]


def test_a_team_of_one_has_no_weights_to_show(spec: Spec, record: Make) -> None:
    run = spec(team=spec().team[:1], strategy=None)
    assert "a 1.00" not in render(build([record(run, weights={"a": 1.0})]))


def test_two_tables(spec: Spec, record: Make) -> None:
    board = build([record(spec()), record(spec(seed=1), dataset_digest="e" * 64)])
    text = render(board, "markdown")
    assert text.count("**shapes test") == 2
    assert "digest dddddddd" in text
    assert "digest eeeeeeee" in text
    assert text.endswith("- 2 tables, because rows with another dataset, protocol or sample budget do not compare")


@pytest.mark.parametrize("style", FORMATS)
def test_nothing_to_show(style: str, spec: Spec, record: Make) -> None:
    board = build([record(spec(), status="failed", reason="out of memory")])
    text = render(board, style)  # type: ignore[arg-type]
    if style == "json":
        assert json.loads(text) == {"tables": [], "notes": board.notes}
    elif style == "csv":
        assert list(csv.DictReader(io.StringIO(text))) == []
    else:
        assert text.splitlines() == ["No finished runs.", *board.notes]


def test_reconstructions_are_marked_and_explained(spec: Spec, record: Make) -> None:
    ammkd = {"name": "flagship", "use": "ammkd", "params": {"C": 0.6}}
    board = build([record(spec()), record(spec(strategy=ammkd), reconstructions=["flagship", "class_vector_kl"])])
    for style in ("table", "markdown"):
        text = render(board, style)
        assert text.count("flagship†") == 1
        assert "equal†" not in text
        assert text.endswith("† reconstruction, as its source leaves something open: class_vector_kl, flagship")
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert {row["strategy"]: row["reconstructions"] for row in rows} == {
        "equal": "",
        "flagship": "class_vector_kl, flagship",
    }


def test_variants_have_a_column_where_there_are_any(spec: Spec, record: Make) -> None:
    plain = render(build([record(spec())]), "markdown")
    assert "variant" not in plain
    varied = render(build([record(spec(variant="fusion off")), record(spec(variant="full"))]), "markdown")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in varied.splitlines() if line.startswith("|")]
    assert table[0][0] == "variant"
    assert {row[0] for row in table[2:]} == {"fusion off", "full"}
