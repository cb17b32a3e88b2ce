"""A leaderboard in its four formats, read back."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from kdbench.errors import KdbenchError
from kdbench.reports import FORMATS, Board, build, render
from kdbench.suite.spec import TaskDataset
from tests.support.directed import ERROR, runs_of
from tests.support.rankings import HEADLINE, changed, row
from tests.support.toys import plugged


@pytest.fixture(scope="module")
def board() -> Board:
    """A teacher itself, a good row, a far one of one seed, one that failed."""
    good = row("equal", 1.0, weights={"a": 0.25, "b": 0.75}, timings={"train": 8.0, "strategy": 0.4})
    failed = changed(good[0], status="failed", reason="out of | memory").record
    far = row("none", 6.0, seeds=[0], team=())
    return build([*row("lens", 0.5, seeds=[0], role="reference"), *good, *far], [failed])


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("|")]


def test_markdown(board: Board) -> None:
    lines = render(board, "markdown", wide=True).splitlines()
    (table,) = board.tables
    assert lines[:4] == [f"**{table.title}**", "", table.sentence, ""]
    header, rule, *rows = cells("\n".join(lines))
    metrics = [f"{way} R@{k}" for way in ("t2i", "i2t") for k in (1, 5, 10)]
    expected = [
        "rank",
        "group",
        "teachers",
        "strategy",
        "n",
        *metrics,
        "RSUM",
        "mean log-rank",
        "train (s)",
        "strategy time",
        "mean weights",
    ]
    assert [name.strip("| ") for name in header] == expected
    assert all(set(cell) <= set(":-| ") for cell in rule)
    reference, good, far = rows
    assert [reference[2], reference[-1].rstrip(" |")] == ["lens (teacher itself)", ""]
    assert good[:5] == ["1", "1", "a + b", "equal", "3"]
    assert good[13:] == ["8", "5.0%", "a 0.25, b 0.75"]
    value = table.rows[0].values[HEADLINE]
    assert good[11] == f"**{value.mean:.1f} ± {value.half:.1f}**"
    assert far[:5] == ["2", "2", "no distillation", "–", "1!"]
    assert far[11].startswith(f"{table.rows[1].values[HEADLINE].mean:.1f} ± ")
    notes = [line for line in lines if line.startswith("- ")]
    assert notes[0].startswith(f"- {table.split}; mean ± half of the 95 % interval")
    assert (
        notes[1]
        == "- t2i R@1, t2i R@5, t2i R@10, i2t R@1, i2t R@5, i2t R@10 (%); RSUM (points); mean log-rank (lower is better)"
    )
    assert notes[2] == "- incomplete, these baselines are missing: a alone, b alone"
    assert notes[3] == "- ! one seed: its interval does not include the variance of training"
    assert notes[-1] == r"- toy · a+b · equal · seed 0: failed: out of \| memory"


def test_markdown_keeps_its_columns() -> None:
    """A label with a pipe in it is one cell."""
    text = render(build(row("half|half")), "markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1


def test_table(board: Board) -> None:
    lines = render(board).splitlines()
    assert lines[0] == board.tables[0].title
    assert lines[2] == board.tables[0].sentence
    assert lines[4].split()[:6] == ["rank", "group", "teachers", "strategy", "n", "t2i"]
    assert "**" not in "\n".join(lines)
    assert lines[-1].endswith("failed: out of | memory")


@pytest.mark.parametrize("width", [60, 100, 140])
def test_a_table_fits_where_it_can(board: Board, width: int) -> None:
    text = render(board, "table", width)
    assert "RSUM" in text
    assert max(map(len, text.splitlines())) <= width
    whole = " ".join(text.split())
    note = whole[whole.index("- left out to fit: ") :]
    assert "; --wide shows all columns" in note
    assert "mean weights" in note.partition(";")[0]
    assert "left out to fit" not in render(board, "table", 400)


def test_a_page_has_room_for_nine_columns(board: Board) -> None:
    header, _, *rows = cells(render(board, "markdown"))
    shown = [name.strip("| ") for name in header]
    assert shown == ["rank", "group", "teachers", "strategy", "n", "t2i R@1", "i2t R@1", "RSUM", "train (s)"]
    assert {len(one) for one in rows} == {9}
    assert "- left out for a page: t2i R@5, t2i R@10, i2t R@5, i2t R@10, " in render(board, "markdown")


@pytest.mark.parametrize("style", ["table", "markdown"])
def test_named_columns_are_shown_in_their_order(board: Board, style: str) -> None:
    text = render(board, style, 60, names=["RSUM", "strategy", "mean weights", "seeds"])  # type: ignore[arg-type]
    (head,) = [line for line in text.splitlines() if "RSUM" in line and "strategy" in line]
    assert head.replace("|", " ").split() == ["RSUM", "strategy", "mean", "weights", "n"]
    assert "left out" not in text
    with pytest.raises(KdbenchError, match="Did you mean 'strategy'"):
        render(board, style, 60, names=["stratgy"])  # type: ignore[arg-type]


def test_tables_without_any_named_column_are_left_out(board: Board) -> None:
    alone = build(row("equal", team=("a",), spec={"dataset": plugged("pebbles")}, dataset_digest="f" * 64))
    both = Board([*board.tables, *alone.tables], [])
    assert both.tables[1].title not in render(both, names=["mean weights"])
    assert both.tables[1].title in render(both, names=["rank"])


def test_prose_is_wrapped_and_says_the_same(board: Board) -> None:
    """Items of a list keep their indent; a format for other programs keeps its lines."""
    narrow = render(board, "table", 60)
    assert " ".join(board.tables[0].sentence.split()) in " ".join(narrow.split())
    notes = narrow[narrow.index("\n- ") + 1 :].splitlines()
    assert all(line.startswith(("- ", "  ")) for line in notes if line)
    assert board.tables[0].sentence in render(board, "markdown", 60).splitlines()


def test_csv(board: Board) -> None:
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert [(one["model"], one["teachers"], one["strategy"], one["seeds"]) for one in rows] == [
        ("lens", "teacher itself", "", "1"),
        ("", "a + b", "equal", "3"),
        ("", "no distillation", "", "1"),
    ]
    value = board.tables[0].rows[0].values[HEADLINE]
    found = [float(rows[1][f"{HEADLINE} {part}"]) for part in ("mean", "low", "high")]
    assert found == [value.mean, value.low, value.high]
    assert rows[1]["seeds"].isdigit()
    assert (rows[1]["rank_first"], rows[1]["rank_last"], rows[1]["group"]) == ("1", "1", "1")
    assert float(rows[1]["strategy_share"]) == pytest.approx(0.05)
    assert (rows[1]["weight b"], rows[1]["tuning"]) == ("0.75", "untuned")
    assert rows[1]["digest"] == board.tables[0].digest


def test_csv_quotes() -> None:
    name = 'one, "two"'
    (one,) = csv.DictReader(io.StringIO(render(build(row(name)), "csv")))
    assert one["strategy"] == name


def test_json(board: Board) -> None:
    content = json.loads(render(board, "json"))
    (table,) = content["tables"]
    (good, far) = table["rows"]
    value = board.tables[0].rows[0].values[HEADLINE]
    assert good["values"]["rsum"] == {"mean": value.mean, "low": value.low, "high": value.high}
    assert good["runs"] == [run.record.run_id for run in board.tables[0].rows[0].runs]
    assert (good["rank_first"], far["rank_first"], table["better"]) == (1, 2, [[False, True], [False, False]])
    assert table["missing"] == ["a alone", "b alone"]
    assert content["notes"] == board.notes
    assert (table["verdict"], table["headline"]) == (board.tables[0].sentence, HEADLINE)
    assert table["decision"]["use"] == 0
    assert {metric["name"] for metric in table["metrics"]} == set(good["values"])


def test_rows_trained_elsewhere_are_told_apart_in_exports(board: Board) -> None:
    """Where there are some: other exports have no column for it."""
    runs = row("equal")
    spec = runs[0].record.spec
    far = spec.dataset.replace(name="far")
    moved = spec.replace(dataset=far, trained_on=TaskDataset(task=spec.task, dataset=spec.dataset))
    specs = [moved.replace(seed=run.seed) for run in runs]
    elsewhere = [
        changed(run, spec=spec, run_id=spec.run_id, dataset_digest="f" * 64) for run, spec in zip(runs, specs, strict=True)
    ]
    both = build([*runs, *elsewhere])
    expected = [(spec.dataset.name, spec.dataset.name), ("far", spec.dataset.name)]
    rows = list(csv.DictReader(io.StringIO(render(both, "csv"))))
    assert sorted((one["dataset"], one["trained_on"]) for one in rows) == sorted(expected)
    tables = json.loads(render(both, "json"))["tables"]
    assert sorted((one["dataset"], one["trained_on"]) for one in tables) == sorted(expected)
    assert "trained_on" not in render(board, "csv") + render(board, "json")


@pytest.mark.parametrize("style", FORMATS)
def test_nothing_to_show(style: str) -> None:
    failed = changed(row("equal")[0], status="failed", reason="out of memory").record
    board = build([], [failed])
    text = render(board, style)  # type: ignore[arg-type]
    if style == "json":
        assert json.loads(text) == {"tables": [], "notes": board.notes}
    elif style == "csv":
        assert list(csv.DictReader(io.StringIO(text))) == []
    else:
        assert text.splitlines() == ["No finished runs.", *board.notes]


def test_reconstructions_are_marked_and_explained() -> None:
    board = build([*row("equal"), *row("flagship", reconstructions=["flagship", "class_vector_kl"])])
    for style in ("table", "markdown"):
        text = render(board, style)
        assert text.count("flagship† ") == 1
        assert "equal†" not in text
        assert "† reconstruction, as its source leaves something open: class_vector_kl, flagship" in text
    rows = list(csv.DictReader(io.StringIO(render(board, "csv"))))
    assert {one["strategy"]: one["reconstructions"] for one in rows} == {"equal": "", "flagship": "class_vector_kl, flagship"}


def test_columns_are_the_tasks_metrics_and_the_direction_is_told() -> None:
    rng = np.random.default_rng(0)
    board = build(run for name in ("equal", "ammkd") for run in runs_of(name, rng.normal(2, 0.1, (3, 30)), ERROR))
    text = render(board)
    assert text.splitlines()[4].split() == [*("rank", "group", "teachers", "strategy", "n", "error")]
    assert "- error (K, lower is better)" in text
    assert "RSUM" not in text
