"""The summary of students in a terminal, in Markdown and in JSON."""

from __future__ import annotations

import json

import pytest

from kdbench.reports import Board, leaderboard
from kdbench.reports.summary import summaries
from kdbench.reports.summary_text import TITLE, plain_summary, render_summary
from tests.reports.test_summary import tables
from tests.support.made_boards import profile, student

PROFILE = profile(student(), {1: 2.0}, {1: 0.5}, size_bytes=8_000_000)


def board() -> Board:
    return Board([tables()], [])


def test_a_row_of_markdown_has_all_there_is_to_compare() -> None:
    (summary,) = summaries(board(), [PROFILE])
    lines = render_summary(summary, "markdown").splitlines()
    assert lines[0] == f"**Students {TITLE}**"
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert head == ["student", "row", "score", "params (M)", "GFLOPs", "latency (ms)", "size (MB)"]
    assert rows[0] == ["pebble", "best: equal of a + b", "100.0 ± 5.0", "2.00", "0", "2.50", "8.00"]
    assert rows[1] == ["", "cheapest: a alone", "99.0 ± 5.0", "", "", "", ""]
    assert rows[2] == ["", "no distillation", "50.0 ± 5.0", "", "", "", ""]
    assert any(line.startswith("- latency of image + text, batch 1 (ms), on ") for line in lines)


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_it_fits_the_terminal(width: int) -> None:
    (summary,) = summaries(Board([tables(), tables(of=student("a-student-with-a-long-name", width=3))], []), [PROFILE])
    text = render_summary(summary, "table", width)
    assert max(map(len, text.splitlines())) <= width
    assert "100.0 ± 5.0" in text
    assert ("latency of image + text" in text) == ("latency" not in text.partition("left out to fit: ")[2])
    assert "left out" not in render_summary(summary, "table", 60, wide=True)


def test_it_stands_first() -> None:
    for style in ("table", "markdown"):
        text = leaderboard(board(), [PROFILE], style)
        assert text.index(TITLE) < text.index(board().tables[0].title)
    assert TITLE not in leaderboard(board(), [PROFILE], "csv")
    assert TITLE not in leaderboard(board(), [PROFILE], names=("strategy",))


def test_json_names_rows_by_their_ids() -> None:
    whole = json.loads(leaderboard(board(), [PROFILE], "json"))
    (summary,) = summaries(board(), [PROFILE])
    assert whole["summary"] == [plain_summary(summary)]
    (one,) = whole["summary"][0]["students"]
    assert [row["kinds"] for row in one["rows"]] == [["best"], ["cheapest"], ["no distillation"]]
    assert {row["id"] for row in one["rows"]} <= {row["id"] for row in whole["tables"][0]["rows"]}
    assert one["cost"]["latency"] == 2.5
