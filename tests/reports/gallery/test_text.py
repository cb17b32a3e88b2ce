"""Cards in a terminal."""

from __future__ import annotations

import pytest

from kdbench.contracts.shown import Item
from kdbench.reports.gallery.cards import card
from kdbench.reports.gallery.page import Answer, Candidate, Card, Page, Section
from kdbench.reports.gallery.text import card_lines, in_words, result_lines
from tests.support.galleries import HOSTILE, I2T, T2I, ByHand, model

RANKS = [2, 1, 1, 1, 1, 1, 1, 1]


def test_lines_of_a_card() -> None:
    shown = ByHand("a lamp")
    made = card(shown, T2I, 0, [model(name, ranks).answer(shown, T2I, 0) for name, ranks in (("A", RANKS), ("B", [1] * 8))])
    assert card_lines(made, ["A", "B"]) == [
        "    query  “a lamp”",
        "    right  a lamp.png “a lamp”",
        "    A      1.png “text 1”, ✓ a lamp.png “a lamp”, 2.png “text 2”, 3.png “text 3”, 4.png “text 4”",
        "    B      ✓ a lamp.png “a lamp”, 1.png “text 1”, 2.png “text 2”, 3.png “text 3”, 4.png “text 4”",
    ]
    assert card_lines(card(None, T2I, 0, ()), []) == []
    kept_no_weights = card(shown, I2T, 1, [model("A", RANKS, kept=False).answer(shown, I2T, 1)])
    assert card_lines(kept_no_weights, ["A"]) == ["    query  1.png “text 1”", "    right  “text 1”"]


@pytest.mark.parametrize("width", [40, 60, 100])
def test_lines_fit_the_terminal_and_hang_below_their_label(width: int) -> None:
    shown = ByHand()
    lines = card_lines(card(shown, T2I, 0, [model("A", RANKS).answer(shown, T2I, 0)]), ["A"], width)
    assert max(map(len, lines)) <= width
    assert all(line.startswith(" " * 11) or line[4] != " " for line in lines)


def test_texts_are_safe_and_short() -> None:
    for item in (Item("x", HOSTILE), Item(HOSTILE), Item("x", about=[HOSTILE])):
        text = in_words(item)
        assert text.isprintable()
        text.encode()
    assert len(in_words(Item("x", "long " * 50))) <= 62


def test_results_of_a_search() -> None:
    top = [Candidate(Item("1.png", about=["a red heart", "love"]), 0.412), Candidate(Item("22.png"), 0.1)]
    page = Page(
        "“heart”", "", [Section("", (Card("", Item("text", "heart"), (Answer("m", "", tuple(top)),)),))], ["m · seed 0"]
    )
    assert result_lines(page) == [
        "“heart” in the test split, by m · seed 0",
        "",
        "  1   0.412  1.png   a red heart · love",
        "  2   0.100  22.png",
    ]


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("name", ["1.png", "a name of about thirty letters.png", "x" * 24])
def test_results_fit_the_terminal_and_hang_below_their_place(width: int, name: str) -> None:
    top = [Candidate(Item(name, about=[f"text {i} of many words" for i in range(9)]), 0.4)] * 12
    page = Page("“heart”", "", [Section("", (Card("", None, (Answer("m", "", tuple(top)),)),))], ["a model · seed 0"] * 6)
    lines = result_lines(page, width)
    assert max(map(len, lines)) <= width
    body = lines[lines.index("") + 1 :]
    assert sum(line[:3].strip() != "" for line in body) == 12
    assert all(line.startswith(" " * 13) or line[:3].strip() for line in body)
    assert " ".join(" ".join(body).split()).count("text 8 of many words") == 12
