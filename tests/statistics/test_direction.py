"""Metrics of which lower is better: negated values under the opposite direction give the same comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.statistics import Family, explain, families, power
from tests.support.directed import ERROR, SCORE, runs_of

Floats = NDArray[np.float64]
NAMES = ("equal", "ammkd", "mgda", "dwa")
SEEDS, UNITS = 3, 30


def drawn(draw: int) -> dict[str, Floats]:
    """[S, U] by row; rows differ by much, by little or not at all."""
    rng = np.random.default_rng(draw)
    hard = rng.normal(0, 2, UNITS)
    shift = rng.choice([0.0, 0.3, 3.0], size=len(NAMES)) * rng.normal(size=len(NAMES))
    return {name: 5 + hard + shift[i] + rng.normal(0, 1, (SEEDS, UNITS)) for i, name in enumerate(NAMES)}


def family_of(values: dict[str, Floats], metric: Metric) -> Family:
    (family,) = families(run for name, one in values.items() for run in runs_of(name, one, metric))
    return family


def names(family: Family) -> list[str]:
    return [strategy.name for runs in family.rows if (strategy := runs[0].record.spec.strategy)]


@given(st.integers(0, 10**6))
def test_negating_values_and_direction_changes_nothing_else(draw: int) -> None:
    values = drawn(draw)
    up, down = family_of(values, SCORE), family_of({name: -one for name, one in values.items()}, ERROR)
    assert names(up) == names(down)
    np.testing.assert_array_equal(up.analysis.better, down.analysis.better)
    np.testing.assert_array_equal(up.analysis.corrected, down.analysis.corrected)
    for one, other in zip(up.analysis.ranked, down.analysis.ranked, strict=True):
        assert (one.first, one.last, one.group, one.bold) == (other.first, other.last, other.group, other.bold)
        value, negated = one.values["score"], other.values["error"]
        assert (value.mean, value.low, value.high) == (-negated.mean, -negated.high, -negated.low)


@pytest.mark.parametrize(("metric", "best"), [(SCORE, "ammkd"), (ERROR, "equal")])
def test_the_best_row_is_first_in_either_direction(metric: Metric, best: str) -> None:
    rng = np.random.default_rng(0)
    values = {name: mean + rng.normal(0, 0.1, (SEEDS, UNITS)) for name, mean in {"equal": 1.0, "ammkd": 9.0}.items()}
    family = family_of(values, metric)
    assert names(family)[0] == best
    assert family.analysis.better.tolist() == [[False, True], [False, False]]


def test_shared_seeds_decide_in_the_metrics_direction() -> None:
    rng = np.random.default_rng(0)
    low, high = (mean + rng.normal(0, 0.1, (4, UNITS)) for mean in (1.0, 2.0))
    runs = [*runs_of("equal", low, ERROR)[:3], *runs_of("ammkd", high, ERROR)[1:]]
    (family,) = families(runs)
    assert names(family) == ["equal", "ammkd"]
    assert family.analysis.better.tolist() == [[False, True], [False, False]]


def test_compared_rows_are_named_in_the_metrics_direction() -> None:
    rng = np.random.default_rng(1)
    small, large = (mean + rng.normal(0, 0.1, (SEEDS, UNITS)) for mean in (1.0, 2.0))
    small[:, 4] = 9.0  # one unit is worse
    for forth in (True, False):
        rows = runs_of("small", small, ERROR), runs_of("large", large, ERROR)
        found = explain(*(rows if forth else rows[::-1]))
        assert found.verdict.startswith("line · a+b · small is significantly better than line · a+b · large: error ")
        assert (found.gained if forth else found.lost)[0].index != 4
        assert (found.lost if forth else found.gained)[0].index == 4
        shares = found.shares["error"]
        assert (shares.better, shares.worse) == pytest.approx((29 / 30, 1 / 30) if forth else (1 / 30, 29 / 30))
    text = "\n".join(explain(*rows).lines())
    assert "error (K, lower is better)  -0." in text
    assert "A lost most: median error (K) in A, in B" in text
    assert "error unit 4: 9, " in text


def test_power_counts_in_the_tasks_sizes() -> None:
    values = drawn(3)
    found = power(runs_of("equal", values["equal"], ERROR), runs_of("dwa", values["dwa"], ERROR), difference=0.5)
    assert (found.what, found.size) == ("samples", UNITS)
    assert "a difference of 0.5 error, 80% power at 5%" in found.lines()[0]
    assert "test samples" in "\n".join(found.lines())


def test_references_are_families_of_their_own() -> None:
    values = drawn(1)
    runs = [*runs_of("equal", values["equal"], ERROR), *runs_of("oracle", values["dwa"], ERROR, reference=True)]
    assert sorted(family.reference for family in families(runs)) == [False, True]
