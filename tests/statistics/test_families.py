"""Runs to families of rows that compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdbench.records.measured import Measured
from kdbench.statistics import families
from kdbench.statistics.analysis import analyse
from tests.support.folded import fold_row, fold_units
from tests.support.rankings import DIGEST, HEADLINE, changed, row, units_of
from tests.support.toys import plugged, retrieval_spec

FEW = units_of(np.arange(40) // 20, np.arange(80) // 40)  # two units
TUNED = {"split": "validation", "trials": 12, "metric": "score"}


def with_spec(runs: list[Measured], **spec: Any) -> list[Measured]:
    """The runs with other fields of their specs, under ids that follow."""
    specs = [one.record.spec.replace(**spec) for one in runs]
    return [changed(one, spec=new, run_id=new.run_id, cell_id=new.cell_id) for one, new in zip(runs, specs, strict=True)]


def test_rows_are_in_the_order_of_the_analysis() -> None:
    good, bad = row("good", 1.0), row("bad", 4.0)
    (family,) = families([*bad[::-1], *good])
    assert [[run.record.run_id for run in runs] for runs in family.rows] == [
        [run.record.run_id for run in runs] for runs in (good, bad)
    ]
    assert family.protocol.parts["dataset"] == f"beads (digest {DIGEST[:8]})"
    assert family.protocol.parts["student"] == "toy"
    assert family.protocol.parts["sample budget"] == "2 epochs, 10 steps of 8 samples"
    assert family.protocol.parts["tuning budget"] == "untuned"


@pytest.mark.parametrize(
    "other",
    [
        row("b", dataset_digest="f" * 64),
        row("b", steps=20),
        with_spec(row("b"), student=plugged("toy", pretrained="laion")),
        with_spec(row("b"), task=retrieval_spec(1, 5)),
        with_spec(row("b"), train={"epochs": 3, "batch_size": 8}),
        with_spec(row("b"), train={"epochs": 2, "batch_size": 4}),
        with_spec(row("b"), tuning=TUNED),
        with_spec(row("b"), smoke=True),
        row("teacher", seeds=[0], role="reference"),
    ],
    ids=["digest", "steps", "initialisation", "protocol", "epochs", "batch", "tuning", "smoke", "reference"],
)
def test_what_does_not_compare_is_of_another_family(other: list[Measured]) -> None:
    assert [len(family.rows) for family in families([*row("a"), *other])] == [1, 1]


def test_another_learning_rate_or_machine_compares() -> None:
    faster = with_spec(row("b"), train={"epochs": 2, "batch_size": 8, "lr": 1e-2})
    assert [len(family.rows) for family in families([*row("a"), *faster])] == [2]


def test_the_budget_of_tuning_is_told() -> None:
    (family,) = families(with_spec(row("a"), tuning=TUNED))
    assert family.protocol.parts["tuning budget"] == "12 trials on validation"


def test_units_given_are_used_for_their_dataset() -> None:
    """Each query's unit is the one that is told; given, nothing is assumed."""
    runs = row("a")
    found = {}
    for name, units in (("few", {DIGEST: FEW}), ("none", None), ("of another", {"f" * 64: FEW})):
        (family,) = families(runs, units)
        found[name] = family.analysis
    few, none, of_another = (one.ranked[0].values[HEADLINE] for one in found.values())
    assert few.mean == pytest.approx(none.mean)
    expected = analyse([runs], runs[0].record.sizes, FEW).ranked[0].values[HEADLINE]
    assert few == expected
    assert few.half != pytest.approx(none.half, rel=0.1)
    assert of_another == none
    assert found["few"].notes == []
    assert any("Karpathy" in note for note in found["none"].notes)


def test_processes_find_the_same() -> None:
    runs = [run for name in "abc" for digest in "de" for run in row(name, draw=ord(name), dataset_digest=digest * 64)]
    alone, together = families(runs, jobs=1), families(runs, jobs=2)
    assert len(alone) == 2
    for one, other in zip(alone, together, strict=True):
        assert one.analysis.ranked == other.analysis.ranked
        np.testing.assert_array_equal(one.analysis.better, other.analysis.better)
        assert [[run.record for run in runs] for runs in one.rows] == [[run.record for run in runs] for runs in other.rows]


def test_folds_of_a_dataset_are_one_family_apart_from_its_own_splits() -> None:
    """Steps may differ between folds, whose train splits differ by few items."""
    found = families([*fold_row("a"), *fold_row("b"), *row("a")], fold_units())
    assert [len(family.rows) for family in found] == [1, 2]
    own, folds = found
    assert own.protocol.evaluation != folds.protocol.evaluation
    assert folds.protocol.parts["dataset"] == f"beads (digest {DIGEST[:8]}), 3 folds"
    assert folds.protocol.parts["sample budget"] == "2 epochs, steps of 8 samples"
    assert [len(runs) for runs in folds.rows] == [6, 6]
    others = fold_row("b", spec={"train": {"epochs": 3, "batch_size": 8}})
    assert len(families([*fold_row("a"), *others])) == 2
    teacher = fold_row("teacher", seeds=[0], role="reference")
    (reference,) = families(teacher)
    assert reference.protocol.evaluation == folds.protocol.evaluation


def test_units_of_each_fold_are_used() -> None:
    """Without them, captions are taken to be in the order of images, which these are not."""
    runs = fold_row("a")
    (given,), (assumed,) = families(runs, fold_units()), families(runs)
    assert not any("Karpathy" in note for note in given.analysis.notes)
    assert any("Karpathy" in note for note in assumed.analysis.notes)
    one, other = (family.analysis.ranked[0].values[HEADLINE] for family in (given, assumed))
    assert one.mean == pytest.approx(other.mean)
    assert one.half != other.half
