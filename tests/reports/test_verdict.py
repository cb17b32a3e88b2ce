"""One sentence on which strategy to use."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.reports.board import Row, Value
from kdbench.reports.verdict import verdict
from tests.support.rankings import row

TEAMS = {"none": (), "alone": ("a",)}


def rows(*names: str) -> list[Row]:
    value = {"rsum": Value(1, 0, 2)}
    return [Row(tuple(row(name, seeds=[0], team=TEAMS.get(name, ("a", "b")))), value) for name in names]


def better(count: int, *pairs: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    found = np.zeros((count, count), dtype=bool)
    for i, j in pairs:
        found[i, j] = True
    return found


@pytest.mark.parametrize(
    ("names", "pairs", "said"),
    [
        ([], [], "No row of this table can be relied on."),
        (["ammkd"], [], "There is only ammkd of a + b: with nothing beside it, nothing can be said."),
        (
            ["ammkd", "equal", "alone"],
            [(0, 1), (0, 2)],
            "Use ammkd of a + b: it is surely better than every other row.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [],
            "Use the cheapest, no teacher: of 4 rows none is surely better than another.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [(0, 3), (1, 3), (2, 3)],
            "Use a alone: nothing is surely better, and it is the cheapest of 3 rows that may be first; it is surely "
            "better than no teacher; no weighting is surely better than equal.",
        ),
        (
            ["mgda", "ammkd", "alone", "equal", "none"],
            [(0, 3), (1, 3), (0, 4)],
            "Use a alone: nothing is surely better, and it is the cheapest of 3 rows that may be first; of the weightings, "
            "mgda and ammkd are surely better than equal.",
        ),
        (
            ["ammkd", "equal", "none"],
            [(0, 2), (1, 2)],
            "Use equal of a + b: nothing is surely better, and it is the cheapest of 2 rows that may be first; it is surely "
            "better than no teacher.",
        ),
        (
            ["p", "q", "r", "s", "t", "equal"],
            [(i, 5) for i in range(5)],
            "Use p of a + b: nothing is surely better, and it is the cheapest of 5 rows that may be first; it is surely better "
            "than equal; of the weightings, p, q, r and 2 others are surely better than equal.",
        ),
    ],
)
def test_sentences(names: list[str], pairs: list[tuple[int, int]], said: str) -> None:
    assert verdict(rows(*names), better(len(names), *pairs)) == said


def test_equal_weights_are_cheaper_than_others_and_no_weights_than_those() -> None:
    assert verdict(rows("ammkd", "equal"), better(2)).startswith("Use the cheapest, equal of a + b")
    assert verdict(rows("equal", "alone"), better(2)).startswith("Use the cheapest, a alone")


def test_a_row_that_something_is_surely_better_than_is_not_named() -> None:
    assert "no teacher" not in verdict(rows("ammkd", "equal", "none"), better(3, (0, 2))).split(";")[0]
