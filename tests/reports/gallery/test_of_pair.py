"""The page of two rows: the queries behind their difference."""

from __future__ import annotations

from dataclasses import replace

from kdbench.contracts.shown import Hit
from kdbench.reports.gallery.cards import Looked, Model
from kdbench.reports.gallery.html import html
from kdbench.reports.gallery.of_pair import pair_page
from kdbench.reports.gallery.text import card_lines
from kdbench.statistics import explain
from tests.support.galleries import ByHand
from tests.support.rankings import run


def test_the_page_has_the_verdict_and_the_queries() -> None:
    a = [run("a", seed, [1] * 8, [rank, *[3] * 7]) for seed, rank in enumerate([2, 9, 2])]
    b = [run("b", seed, [1] * 8, [20, *[3] * 7]) for seed in range(3)]
    found = explain(a, b)

    def top(*_: object) -> list[Hit]:
        return [Hit(1, 0.5), Hit(0, 0.4)]

    models = {name: Model(name, runs[1].arrays(), top) for name, runs in (("A", a), ("B", b))}
    looked = Looked(ByHand("a lamp"), models)
    page = pair_page(found, lambda query: looked, ["A: equal", "B: other"], licence="CC0", notes=["more"])  # noqa: ARG005
    assert page.lead == found.verdict
    assert page.facts[-1].startswith("by seed: 0: ")
    assert page.notes[-1] == "more"
    (section,) = page.sections
    assert section.title == "A gained most"
    (card,) = section.cards
    assert card.title == "t2i caption 0"
    assert [(answer.figure, answer.note) for answer in card.answers] == [
        ("median retrieval rank 2", "9 in the seed shown"),
        ("median retrieval rank 20", ""),
    ]
    assert card_lines(card, ["A", "B"])[2].startswith("    A      (9 in the seed shown) 1.png")
    assert "median retrieval rank 2, 9 in the seed shown" in html(page)
    assert [answer.model for answer in card.answers] == ["A: equal", "B: other"]
    bare = pair_page(found, lambda query: Looked(None, {name: replace(one, top=None) for name, one in models.items()}))  # noqa: ARG005
    assert [(answer.figure, answer.note) for answer in bare.sections[0].cards[0].answers] == [
        ("median retrieval rank 2", ""),
        ("median retrieval rank 20", ""),
    ]
