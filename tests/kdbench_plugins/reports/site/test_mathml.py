"""Formulas as MathML, and that the two writings of every formula say the same."""

from __future__ import annotations

import unicodedata
from typing import Any
from xml.etree import ElementTree

import pytest

from kdbench.contracts import Offer
from kdbench.plugins.loading import KINDS, installed
from kdbench_plugins.reports.site.mathml import formula, mathml, parts

OFFERS = [
    listed.offer
    for kind in KINDS
    for listed in installed().offers(kind).values()
    if listed.provider.startswith("kdbench:") and listed.offer.latex
]


def letters(text: str) -> list[str]:
    """All letters, in order of the alphabet, whatever their size and place; a sum is a sign, not a letter."""
    plain = unicodedata.normalize("NFKD", text.replace("Σ", ""))
    return sorted(letter for letter in plain if letter.isalpha())


def test_a_formula_becomes_an_element() -> None:
    found = mathml(r"w_t = \frac{1}{T}")
    assert found is not None
    root = ElementTree.fromstring(found)
    assert root.tag.endswith("math")
    assert "".join(root.itertext()) == "wt=1T"
    assert [one for one in root.iter() if one.tag.endswith("mfrac")]


def test_what_a_formula_says_stays_text() -> None:
    found = mathml(r"\text{<script>alert(1)</script> & more}")
    assert found is not None
    assert "<script" not in found
    assert "&lt;script" in found
    linked = mathml(r"\href{javascript:alert(1)}{x} + \text{&lt;img src=x&gt;}")
    assert linked is not None
    assert "javascript" not in linked
    assert "<img" not in linked


def test_what_is_no_formula_has_none() -> None:
    assert mathml(r"\frac{1}{") is None


def test_a_formula_is_cut_where_a_line_may_end() -> None:
    latex = r"w = 1 \text{ if } t = r(\text{b}), \quad \left(x \quad \text{ y }\right) \frac{1 \quad 2}{3}"
    assert list(parts(latex)) == [
        (True, "w = 1"),
        (False, "if"),
        (True, r"t = r(\text{b}),"),
        (True, r"\left(x \quad \text{ y }\right) \frac{1 \quad 2}{3}"),
    ]
    assert str(formula(r"x \text{ <b> } y")).count("<math") == 2
    assert "&lt;b&gt;" in str(formula(r"x \text{ <b> } y"))
    assert formula(r"x \quad \frac{1}{") is None


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.name)
def test_both_writings_have_the_same_letters(offer: Offer[Any]) -> None:
    found = formula(offer.latex)
    assert found is not None, offer.latex
    assert letters("".join(ElementTree.fromstring(f"<dd>{found}</dd>").itertext())) == letters(offer.formula)


def test_every_strategy_and_objective_that_ships_has_both() -> None:
    for kind in ("strategy", "objective"):
        for listed in installed().offers(kind).values():
            if listed.provider.startswith("kdbench:"):
                assert bool(listed.offer.formula) == bool(listed.offer.latex), listed.offer.name
