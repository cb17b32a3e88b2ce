"""A trace holds together, and what a record says follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kdbench.records.trace import Trace
from tests.support.made_records import TRACE


def test_dynamics_are_means_over_windows() -> None:
    assert TRACE.dynamics == {
        "weight_entropy": round((0.693147 + 2 * 0.562335) / 3, 6),
        "gradient_cosine": 0.125,
        "conflicting_steps": 0.333333,
    }


def test_one_teacher_has_no_entropy_and_no_pairs() -> None:
    assert Trace(step=[1], weights={"a": [1.0]}, entropy=[0.0]).dynamics == {}
    assert Trace(step=[1]).dynamics == Trace().dynamics == {}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_mean_weights_are_over_steps(lengths: list[int], data: st.DataObject) -> None:
    """Windows of other lengths weigh otherwise."""
    weights = data.draw(st.lists(st.floats(0, 1), min_size=len(lengths), max_size=len(lengths)))
    trace = Trace(step=np.cumsum(lengths).tolist(), weights={"a": weights})
    each_step = [weight for length, weight in zip(lengths, weights, strict=True) for _ in range(length)]
    assert trace.mean_weights["a"] == pytest.approx(sum(each_step) / len(each_step))


def test_nothing_traced_has_no_mean() -> None:
    assert Trace().mean_weights == Trace(weights={"a": []}).mean_weights == {}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"step": [5, 5]}, "its steps do not increase"),
        ({"step": [0, 5]}, "its steps do not increase"),
        ({"step": [1, 2], "loss": [1.0]}, "loss: found 1 values for 2 windows"),
        ({"step": [1], "weights": {"a": [1.0], "b": [1.0, 2.0]}}, "weights.b: found 2 values for 1 windows"),
        ({"step": [1], "report": {"late": [None, 1.0]}}, "report.late: found 2 values"),
        ({"loss": [1.0]}, "loss: found 1 values for 0 windows"),
        ({"step": [1], "loss": [-1e101]}, r"loss: found values beyond 1e\+100"),
        ({"step": [1], "report": {"late": [1e308]}}, r"report.late: found values beyond 1e\+100"),
        ({"losses": []}, "losses"),
        ({"step": ["one"]}, "step.0"),
    ],
)
def test_what_does_not_hold_together_is_refused(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Trace(**columns)
