"""One sentence on which strategy to use."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.reports import Row, Value, Verdict
from kdbench.reports.verdict import in_words, verdict
from tests.support.rankings import HEADLINE, row

Better = NDArray[np.bool_]
TEAMS = {"none": (), "alone": ("a",)}


def rows(*names: str) -> list[Row]:
    value = {HEADLINE: Value(1, 0, 2)}
    return [Row(tuple(row(name, seeds=[0], team=TEAMS.get(name, ("a", "b")))), value) for name in names]


def better(count: int, *pairs: tuple[int, int]) -> Better:
    found = np.zeros((count, count), dtype=bool)
    for i, j in pairs:
        found[i, j] = True
    return found


def sentence(shown: list[Row], separated: Better) -> str:
    return "".join(in_words(verdict(shown, separated), shown))


@pytest.mark.parametrize(
    ("names", "pairs", "said"),
    [
        ([], [], "No row of this table is usable."),
        (["ammkd"], [], "There is only ammkd of a + b: there is nothing to compare it with."),
        (
            ["ammkd", "equal", "alone"],
            [(0, 1), (0, 2)],
            "Use ammkd of a + b: it is significantly better than every other row.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [],
            "The 4 rows are indistinguishable; use the cheapest, no distillation.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [(0, 3), (1, 3), (2, 3)],
            "Use a alone: no row is significantly better, and it is the cheapest of 3 candidates for first place; it is "
            "significantly better than no distillation; no weighting is significantly better than equal.",
        ),
        (
            ["mgda", "ammkd", "alone", "equal", "none"],
            [(0, 3), (1, 3), (0, 4)],
            "Use a alone: no row is significantly better, and it is the cheapest of 3 candidates for first place; of the "
            "weightings, mgda and ammkd are significantly better than equal.",
        ),
        (
            ["ammkd", "equal", "none"],
            [(0, 2), (1, 2)],
            "Use equal of a + b: no row is significantly better, and it is the cheapest of 2 candidates for first place; it is "
            "significantly better than no distillation.",
        ),
        (
            ["p", "q", "r", "s", "t", "equal"],
            [(i, 5) for i in range(5)],
            "Use p of a + b: no row is significantly better, and it is the cheapest of 5 candidates for first place; it is "
            "significantly better than equal; of the weightings, p, q, r and 2 others are significantly better than equal.",
        ),
    ],
)
def test_sentences(names: list[str], pairs: list[tuple[int, int]], said: str) -> None:
    assert sentence(rows(*names), better(len(names), *pairs)) == said


def test_equal_weights_are_cheaper_than_others_and_no_weights_than_those() -> None:
    assert sentence(rows("ammkd", "equal"), better(2)).endswith("use the cheapest, equal of a + b.")
    assert sentence(rows("equal", "alone"), better(2)).endswith("use the cheapest, a alone.")


def test_a_row_that_something_is_surely_better_than_is_not_named() -> None:
    assert "no distillation" not in sentence(rows("ammkd", "equal", "none"), better(3, (0, 2))).split(";")[0]


def test_what_is_decided_is_a_value() -> None:
    shown = rows("mgda", "ammkd", "alone", "equal", "none")
    assert verdict(shown, better(5, (0, 3), (1, 3), (2, 4))) == Verdict(
        "cheapest", use=2, candidates=(0, 1, 2), beaten=(4,), gains=(0, 1)
    )
    assert verdict(shown, better(5)) == Verdict("indistinguishable", use=4, candidates=(0, 1, 2, 3, 4), no_gain=True)
    assert verdict(shown[:1], better(1)) == Verdict("one row", use=0, candidates=(0,))


@pytest.mark.parametrize(
    ("pairs", "lead"),
    [
        ([(0, 1), (0, 2)], "Use ammkd of a + b"),
        ([(0, 2), (1, 2)], "Use equal of a + b"),
        ([], "The 3 rows are indistinguishable; use the cheapest, no distillation"),
    ],
)
def test_the_row_to_use_leads(pairs: list[tuple[int, int]], lead: str) -> None:
    shown = rows("ammkd", "equal", "none")
    found = verdict(shown, better(3, *pairs))
    assert in_words(found, shown)[0] == lead
    assert found.use is not None
    assert lead.endswith(shown[found.use].name)
    assert in_words(Verdict("no student"), [])[0] == ""
