"""One sentence on which strategy to use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.reports import Row, Value, Verdict, build
from kdbench.reports.verdict import in_words, untested, verdict
from tests.support.rankings import HEADLINE, row
from tests.support.situations import regime

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


def alike(count: int, *pairs: tuple[int, int]) -> Better:
    found = better(count, *pairs)
    return found | found.T


def all_alike(count: int) -> Better:
    return np.ones((count, count), dtype=bool)


def sentence(shown: list[Row], separated: Better, same: Better, more: int | None = None) -> str:
    return "".join(in_words(verdict(shown, separated, same, 3.0, more), shown))


@pytest.mark.parametrize(
    ("names", "pairs", "said"),
    [
        ([], [], "No row of this table is usable."),
        (["ammkd"], [], "ammkd of a + b is the only row: there is nothing to compare it with."),
        (
            ["ammkd", "equal", "alone"],
            [(0, 1), (0, 2)],
            "Use ammkd of a + b: it is significantly better than every other row.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [],
            "Use no distillation: it is the cheapest of 4 rows that are equivalent within 3 RSUM, and no row is better; no "
            "weighting is significantly better than equal.",
        ),
        (
            ["ammkd", "equal", "alone", "none"],
            [(0, 3), (1, 3), (2, 3)],
            "Use a alone: it is the cheapest of 3 rows that are equivalent within 3 RSUM, and no row is better; it is "
            "significantly better than no distillation; no weighting is significantly better than equal.",
        ),
        (
            ["mgda", "ammkd", "alone", "equal", "none"],
            [(0, 3), (1, 3), (0, 4)],
            "Use a alone: it is the cheapest of 3 rows that are equivalent within 3 RSUM, and no row is better; of the "
            "weightings, mgda and ammkd are significantly better than equal.",
        ),
        (
            ["ammkd", "equal", "none"],
            [(0, 2), (1, 2)],
            "Use equal of a + b: it is the cheapest of 2 rows that are equivalent within 3 RSUM, and no row is better; it is "
            "significantly better than no distillation.",
        ),
        (
            ["p", "q", "r", "s", "t", "equal"],
            [(i, 5) for i in range(5)],
            "Use p of a + b: it is the cheapest of 5 rows that are equivalent within 3 RSUM, and no row is better; it is "
            "significantly better than equal; of the weightings, p, q, r and 2 others are significantly better than equal.",
        ),
    ],
)
def test_sentences_where_candidates_are_equivalent(names: list[str], pairs: list[tuple[int, int]], said: str) -> None:
    assert sentence(rows(*names), better(len(names), *pairs), all_alike(len(names))) == said


def test_cheapest_is_said_of_equivalent_rows_only() -> None:
    shown, separated = rows("ammkd", "equal", "alone", "none"), better(4, (0, 3))
    said = sentence(shown, separated, alike(4, (0, 1)), more=12)
    assert said == (
        "Undecided between 3 of 4 rows: none is significantly better than the others, nor are all equivalent within 3 RSUM; "
        "about 12 more seeds would decide; the best mean, that of ammkd, is significantly better than no distillation; no "
        "weighting is significantly better than equal."
    )
    assert verdict(shown, separated, alike(4, (0, 1)), 3.0, 12) == Verdict(
        "undecided", None, (0, 1, 2), (3,), no_gain=True, margin=3.0, more_seeds=12
    )


def test_undecided_without_a_margin_or_a_number_of_seeds() -> None:
    shown = rows("ammkd", "none")
    nothing = better(2)
    assert "".join(in_words(verdict(shown, nothing, nothing), shown)) == (
        "Undecided between both rows: neither is significantly better than the other; one seed does not tell how many more "
        "would decide; no weighting is significantly better than equal."
    )


def test_a_race_that_has_ended_undecided_says_what_would_decide() -> None:
    shown, nothing = rows("ammkd", "none"), better(2)

    def said(**race: Any) -> str:
        return "".join(in_words(verdict(shown, nothing, nothing, 3.0, ended_at=24, **race), shown)).split("; ", 1)[1]

    assert said(more_seeds=30).startswith(
        "the race has ended at 24 seeds; a new race with a larger max_seeds, about 54, would decide; "
    )
    assert said().startswith("the race has ended at 24 seeds; a new race with a larger max_seeds may decide; ")
    assert said(lacking=[0]).startswith("a run of ammkd has no figures; once it has, the race goes on; ")
    assert verdict(shown, better(2, (0, 1)), nothing, 3.0, 30, 24).ended_at is None


def test_one_more_seed_is_no_seeds() -> None:
    shown, nothing = rows("ammkd", "none"), better(2)
    assert "about 1 more seed would decide" in "".join(in_words(verdict(shown, nothing, nothing, 3.0, 1), shown))
    assert in_words(untested(1), shown)[1].endswith("the first look of the race is at 1 seed.")


def test_before_the_first_look_of_a_race_nothing_is_said_of_rows() -> None:
    assert in_words(untested(3), rows("ammkd", "none")) == ("", "Not tested yet: the first look of the race is at 3 seeds.")


def test_equal_weights_are_cheaper_than_others_and_no_weights_than_those() -> None:
    assert sentence(rows("ammkd", "equal"), better(2), all_alike(2)).startswith("Use equal of a + b:")
    assert sentence(rows("equal", "alone"), better(2), all_alike(2)).startswith("Use a alone:")


def test_a_row_that_something_is_surely_better_than_is_not_named() -> None:
    assert "no distillation" not in sentence(rows("ammkd", "equal", "none"), better(3, (0, 2)), all_alike(3)).split(";")[0]


def test_what_is_decided_is_a_value() -> None:
    shown = rows("mgda", "ammkd", "alone", "equal", "none")
    assert verdict(shown, better(5, (0, 3), (1, 3), (2, 4)), all_alike(5), 3.0) == Verdict(
        "equivalent", use=2, candidates=(0, 1, 2), beaten=(4,), gains=(0, 1), margin=3.0
    )
    assert verdict(shown, better(5), all_alike(5), 3.0) == Verdict(
        "equivalent", use=4, candidates=(0, 1, 2, 3, 4), no_gain=True, margin=3.0
    )
    assert verdict(shown[:1], better(1), all_alike(1)) == Verdict("one row", use=0, candidates=(0,))


def test_a_weighting_gains_over_equal_weights_of_its_own_variant() -> None:
    """What it is ahead of elsewhere may be another objective's doing."""
    value = {HEADLINE: Value(1, 0, 2)}
    shown = [
        Row(tuple(row(name, seeds=[0], spec={"variant": variant})), value)
        for variant, name in (("A", "ammkd"), ("A", "equal"), ("B", "ammkd"), ("B", "equal"))
    ]
    elsewhere, own = better(4, (0, 2), (0, 3), (1, 2), (1, 3)), better(4, (0, 3), (2, 3))
    assert verdict(shown, elsewhere, all_alike(4), 3.0).gains == ()
    assert verdict(shown, own, all_alike(4), 3.0).gains == (2,)


@pytest.mark.parametrize(
    ("pairs", "lead"),
    [
        ([(0, 1), (0, 2)], "Use ammkd of a + b"),
        ([(0, 2), (1, 2)], "Use equal of a + b"),
        ([], "Use no distillation"),
    ],
)
def test_the_row_to_use_leads(pairs: list[tuple[int, int]], lead: str) -> None:
    shown = rows("ammkd", "equal", "none")
    found = verdict(shown, better(3, *pairs), all_alike(3))
    assert in_words(found, shown)[0] == lead
    assert found.use is not None
    assert lead.endswith(shown[found.use].name)
    assert in_words(Verdict("no student"), [])[0] == ""


def test_rows_of_a_regime_are_named_without_it() -> None:
    """Nor with their teachers: both are those of all rows of their table."""
    (one,) = build(regime("wrong", {"good": 2.0, "bad": 2.0, "worse": 4.0})).tables
    assert "; the best mean, that of bad, is significantly better than equal and worse;" in one.sentence
