"""Records to families of rows."""

from __future__ import annotations

import numpy as np
import pytest
from rankings import row

from kdbench.errors import KdbenchError
from kdbench.leaderboard.statistics import Measured, families
from kdbench.leaderboard.statistics.crossed import ONE_SEED


def cell_id(runs: list[Measured]) -> str:
    return runs[0].record.cell_id


def test_best_first_with_ranks_groups_and_bold() -> None:
    good, twin, bad = row("good", 1.0, draw=1), row("twin", 1.0, draw=2), row("bad", 4.0, draw=3)
    (family,) = families([*bad, *good, *twin])
    assert (family.digest, family.student) == ("e" * 64, "toy")
    assert [(s.first, s.last, s.group, s.bold) for s in family.standings] == [
        (1, 2, 1, True),
        (1, 2, 1, True),
        (3, 3, 2, False),
    ]
    assert family.standings[2].cell.label.endswith("bad")
    assert family.better(cell_id(good), cell_id(bad))
    assert not family.better(cell_id(bad), cell_id(good))
    assert not family.better(cell_id(good), cell_id(twin))
    assert any("Karpathy" in note for note in family.notes)


def test_means_are_the_records() -> None:
    good = row("good", 2.0)
    (family,) = families(good)
    values = family.standings[0].values
    for metric in good[0].record.metrics:
        scale = 100 if "recall@" in metric else 1
        expected = scale * np.mean([one.record.metrics[metric] for one in good])
        assert values[metric].mean == pytest.approx(expected)
        assert values[metric].low < expected < values[metric].high


def test_differences_are_antisymmetric_and_of_means() -> None:
    a, b = row("a", 2.0, draw=1), row("b", 2.5, draw=2)
    (family,) = families([*a, *b])
    forth, back = family.difference(cell_id(a), cell_id(b)), family.difference(cell_id(b), cell_id(a))
    means = [np.mean([one.record.metrics["rsum"] for one in runs]) for runs in (a, b)]
    assert forth.mean == pytest.approx(means[0] - means[1])
    assert (back.mean, back.low, back.high, back.p) == pytest.approx((-forth.mean, -forth.high, -forth.low, forth.p))
    recall = family.difference(cell_id(a), cell_id(b), "image_retrieval_recall@10")
    assert recall.mean != pytest.approx(forth.mean)


def test_identical_rows_tie() -> None:
    a, b, far = row("a", draw=1), row("b", draw=1), row("far", 0.0, draw=2)
    (family,) = families([*a, *b, *far])
    assert family.difference(cell_id(a), cell_id(b)).p == 1
    assert not family.better(cell_id(a), cell_id(b))
    assert not family.better(cell_id(b), cell_id(a))
    assert [standing.group for standing in family.standings] == [1, 2, 2]


def test_what_does_not_compare_is_of_another_family() -> None:
    runs = [*row("a"), *row("b", dataset_digest="f" * 64), *row("c", steps=20), *row("teacher", seeds=[0], role="reference")]
    assert sorted(len(family.standings) for family in families(runs)) == [1, 1, 1, 1]
    smoke = [Measured(one.record.model_copy(update={"spec": one.record.spec | {"smoke": True}}), one.ranks) for one in row("d")]
    assert families(smoke) == []


def test_one_seed_is_flagged_but_not_for_references() -> None:
    (family,) = families(row("a", seeds=[4]))
    assert family.standings[0].values["rsum"].note == ONE_SEED
    assert any(ONE_SEED in note for note in family.notes)
    (alone,) = families(row("teacher", seeds=[0], role="reference"))
    assert alone.standings[0].values["rsum"].note == ""
    assert not any(ONE_SEED in note for note in alone.notes)


def test_units_given_are_used() -> None:
    """All queries in two units have a wider interval than in forty; given, nothing is assumed."""
    runs = row("a")
    few = (np.arange(40) // 20, np.arange(80) // 40)
    (wide,), (narrow,) = families(runs, few), families(runs)
    found = [family.standings[0].values["rsum"] for family in (wide, narrow)]
    assert found[0].mean == pytest.approx(found[1].mean)
    assert found[0].high - found[0].low > 2 * (found[1].high - found[1].low)
    assert wide.notes == []


def test_rows_without_a_common_seed_tie_and_this_is_said() -> None:
    a, b = row("a", 0.0, seeds=[0, 1]), row("b", 5.0, seeds=[2, 3])
    (family,) = families([*a, *b])
    assert [standing.group for standing in family.standings] == [1, 1]
    assert any("share no seed" in note for note in family.notes)
    with pytest.raises(KdbenchError, match=r"seeds 0, 1.*seeds 2, 3.*share no seed"):
        family.difference(cell_id(a), cell_id(b))


def test_an_unknown_row_is_named() -> None:
    (family,) = families(row("a"))
    with pytest.raises(KdbenchError, match="no row 'nowhere' of toy"):
        family.place("nowhere")
