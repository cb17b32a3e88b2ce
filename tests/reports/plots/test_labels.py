"""Names that anyone may have written, as text for pictures and files."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from kdbench.reports.plots.labels import clean, common_team, elided, file_part, interval_text, metric_label, row_labels, wrapped
from kdbench.statistics.value import Value
from tests.support.made_boards import ERROR, SCORE, row, student
from tests.support.site_boards import board_of, measured_in

anything = st.text(st.characters(exclude_categories=[]), max_size=60)  # lone surrogates too


@given(anything)
def test_clean_text_goes_through_xml_as_it_is(text: str) -> None:
    element = ElementTree.Element("a")
    element.text = clean(text)
    written = ElementTree.tostring(element, encoding="utf-8")
    assert (ElementTree.fromstring(written).text or "") == clean(text)
    assert len(clean(text).splitlines()) <= 1
    assert clean(clean(text)) == clean(text)


@given(anything, st.integers(3, 30))
def test_long_names_keep_their_ends(text: str, width: int) -> None:
    short, whole = elided(text, width), clean(text)
    assert len(short) <= width
    if short != whole:
        head, tail = short.split("…", 1) if whole.count("…") == 0 else (short[0], short[-1])
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert abs(len(head) - len(tail)) <= 1


@given(anything)
def test_parts_of_file_names_are_plain(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", file_part(text))
    assert len(file_part(text)) <= 24


@given(anything, st.integers(5, 30))
def test_wrapped_lines_are_few_and_short(text: str, width: int) -> None:
    lines = wrapped(text, width, 2)
    assert len(lines) <= 2
    assert all(len(line) <= width for line in lines)


def test_examples() -> None:
    assert clean("a\n\tb\x00c\u202ed") == "a b\ufffdc\ufffdd"
    assert elided("abcdefghij", 7) == "abc…hij"
    assert file_part("../../Flickr 30k\n") == "flickr-30k"


def test_the_team_that_all_share_is_left_out() -> None:
    rows = [row("equal"), row("ammkd", variant="long"), row("", team=["a"]), row("", team=[])]
    assert common_team(rows) == "a + b"
    assert list(row_labels(rows, 40).values()) == ["equal", "long: ammkd", "a alone", "no distillation"]
    assert next(iter(row_labels(rows, 40, student=True).values())) == "pebble: equal"
    rows.append(row("equal", team=["a", "b", "c"]))
    assert common_team(rows) == ""
    assert row_labels(rows, 40)[rows[0].id] == "equal of a + b"


def test_names_that_are_cut_alike_are_told_apart() -> None:
    same = [row(f"a{'x' * 50}{middle}{'y' * 50}z") for middle in ("1", "2")]
    first, second = row_labels(same, 20).values()
    assert first != second
    assert first.startswith("axxx")
    elsewhere = [row("equal"), row("equal", of=student("other"))]  # two students are told apart by where they stand
    assert set(row_labels(elsewhere, 20).values()) == {"equal"}


def test_names_are_short_where_that_tells_rows_apart() -> None:
    one_team = board_of(measured_in("emoji")).tables[0]
    two_teams = max(board_of(measured_in("students", "strategies")).tables, key=lambda table: len(table.rows))
    found = sorted(row_labels(one_team.rows, 200).values())
    assert found == ["ammkd", "equal", "lite0 alone", "lite2 alone", "no distillation"]
    names = Counter(row.name for row in two_teams.rows)  # two suites trained without teachers
    expected = [row.name if names[row.name] == 1 else f"{row.name} ({row.id[:4]})" for row in two_teams.rows]
    assert list(row_labels(two_teams.rows, 200).values()) == expected


def test_metrics_name_their_unit_and_which_way_is_better() -> None:
    assert metric_label(SCORE) == "score (points)"
    assert metric_label(ERROR) == "RMSE (K), lower is better"
    assert interval_text(ERROR, Value(1.0, 0.5, 1.25)) == "95 % interval 0.50 to 1.25"
