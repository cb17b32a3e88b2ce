"""Names that anyone may have written, as text for pictures and files."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from kdbench.reports.figures.names import clean, common_team, elided, labels, slug, wrapped

from tests.support.made_boards import row, student

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
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))
    assert len(slug(text)) <= 24


@given(anything, st.integers(5, 30))
def test_wrapped_lines_are_few_and_short(text: str, width: int) -> None:
    lines = wrapped(text, width, 2)
    assert len(lines) <= 2
    assert all(len(line) <= width for line in lines)


def test_examples() -> None:
    assert clean("a\n\tb\x00c\u202ed") == "a b\ufffdc\ufffdd"
    assert elided("abcdefghij", 7) == "abc…hij"
    assert slug("../../Flickr 30k\n") == "flickr-30k"


def test_the_team_that_all_share_is_left_out() -> None:
    rows = [row("equal"), row("ammkd", variant="long"), row("", team=["a"]), row("", team=[])]
    assert common_team(rows) == "a + b"
    assert list(labels(rows, 40).values()) == ["equal", "long: ammkd", "a alone", "no teacher"]
    assert next(iter(labels(rows, 40, student=True).values())) == "pebble: equal"
    rows.append(row("equal", team=["a", "b", "c"]))
    assert common_team(rows) == ""
    assert labels(rows, 40)[rows[0].id] == "equal of a + b"


def test_names_that_are_cut_alike_are_told_apart() -> None:
    same = [row(f"a{'x' * 50}{middle}{'y' * 50}z") for middle in ("1", "2")]
    first, second = labels(same, 20).values()
    assert first != second
    assert first.startswith("axxx")
    elsewhere = [row("equal"), row("equal", of=student("other"))]  # two students are told apart by where they stand
    assert set(labels(elsewhere, 20).values()) == {"equal"}
