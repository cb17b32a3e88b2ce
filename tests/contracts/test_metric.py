"""What a metric says of two values, whichever direction is better."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import Metric

HIGHER = Metric("accuracy", "accuracy", "%", scale=100.0)
LOWER = Metric("mse", "MSE", higher_is_better=False, decimals=3)
values = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(values, values)
def test_one_of_two_values_is_better_by_the_direction(one: float, other: float) -> None:
    assert HIGHER.better(one, other) == LOWER.better(other, one) == (one > other)
    assert HIGHER.gain(one, other) == LOWER.gain(other, one) == one - other
    assert (HIGHER.gain(one, other) > 0) == HIGHER.better(one, other)


@pytest.mark.parametrize("metric", [HIGHER, LOWER])
def test_nothing_is_better_than_an_equal_or_a_nan(metric: Metric) -> None:
    assert not metric.better(1.0, 1.0)
    assert not metric.better(math.nan, 1.0)
    assert not metric.better(1.0, math.nan)


def test_shown_values_have_their_decimals() -> None:
    assert (HIGHER.text(12.345), LOWER.text(0.12345)) == ("12.3", "0.123")


def test_at_the_head_of_a_column_it_has_its_unit() -> None:
    assert (HIGHER.head, LOWER.head) == ("accuracy (%)", "MSE")
