"""A table of columns as text: what there is room for, and how cells are written."""

from __future__ import annotations

import pytest

from kdbench.reports.column import Column
from kdbench.reports.text_table import left_out, table_text, wrapped

Row = dict[str, str]
ROWS: list[Row] = [
    {"name": "a name of several words", "best": "1.0 ± 0.1", "first": "11.0", "second": "12.0", "third": "0.5"},
    {"name": "short|er", "best": "2.0 ± 0.1", "first": "21.0", "second": "22.0", "third": "0.25"},
]


def column(name: str, keep: float | None = None, left: bool = False) -> Column[Row]:
    return Column(name, lambda row: row[name], left, keep, bold=lambda row: name == "best" and row["third"] == "0.5")


COLUMNS = [column("name", left=True), column("best"), column("first", 8), column("second", 8), column("third", 2)]


def test_columns_of_one_importance_go_together() -> None:
    assert table_text(COLUMNS, ROWS, "table", 70)[1] == []
    assert table_text(COLUMNS, ROWS, "table", 58)[1] == ["third"]
    assert table_text(COLUMNS, ROWS, "table", 48)[1] == ["first", "second", "third"]
    assert table_text(COLUMNS, ROWS, "table", 20, wide=True)[1] == []


@pytest.mark.parametrize("width", [22, 30, 40, 70])
def test_text_is_wrapped_within_its_cell_where_no_column_is_left_to_leave_out(width: int) -> None:
    text, _ = table_text(COLUMNS, ROWS, "table", width)
    assert max(map(len, text.splitlines())) <= width
    assert "".join("".join(line[:8].split()) for line in text.splitlines()[2:]).startswith("aname")
    assert "1.0 ± 0.1" in text


def test_markdown_has_nine_columns_at_most() -> None:
    many = [Column[Row](f"c{place}", lambda row: row["best"], keep=place) for place in range(12)]
    text, gone = table_text(many, ROWS, "markdown")
    assert text.splitlines()[0].count("|") == 10
    assert gone == ["c0", "c1", "c2"]
    assert table_text(many, ROWS, "markdown", wide=True)[1] == []
    assert left_out(gone, "markdown") == ["- left out for a page: c0, c1, c2; --wide shows all columns"]
    assert left_out([], "table") == []


def test_markdown_is_escaped_and_the_best_is_bold() -> None:
    text, _ = table_text(COLUMNS, ROWS, "markdown")
    assert r"short\|er" in text
    assert [line.count("**") for line in text.splitlines()[2:]] == [2, 0]
    assert "**" not in table_text(COLUMNS, ROWS, "table")[0]


def test_prose_is_wrapped_for_a_terminal_alone() -> None:
    text = "- some words " * 9
    assert max(map(len, wrapped(text, "table", 40).splitlines())) <= 40
    assert wrapped(text, "table", 40).splitlines()[1].startswith("  ")
    assert wrapped(text, "markdown", 40) == wrapped(text, "table", None) == text
