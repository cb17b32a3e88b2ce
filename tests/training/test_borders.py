"""What strategies, objectives and tasks return in a step."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdbench import Metric, PluginError
from kdbench.errors import NotFinite
from kdbench.training.borders import (
    all_finite,
    check_first,
    check_taught,
    checked_auxiliary,
    checked_head,
    checked_losses,
    checked_objective,
    checked_report,
    checked_strategy,
    checked_views,
    measured,
    weights_of,
)
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.strategies.equal import Equal
from tests.support.regression_task import Regression
from tests.support.toys import random_pairs

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(shapes, st.integers(1, 4))
def test_exactly_a_loss_per_sample_passes(shape: tuple[int, ...], samples: int) -> None:
    """A scalar, or one row for all, would be broadcast without a word."""
    losses = torch.zeros(shape)
    if shape == (samples,):
        assert checked_losses(Feature(), losses, samples) is losses
    else:
        with pytest.raises(PluginError, match=r"feature\.Feature\.losses: found shape \["):
            checked_losses(Feature(), losses, samples)


@given(shapes, st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_exactly_weights_by_teacher_sample_or_pair_pass(
    shape: tuple[int, ...], teachers: int, samples: int, whole: bool
) -> None:
    weights = torch.zeros(shape, dtype=torch.int64) if whole else torch.zeros(shape, requires_grad=True)
    if shape in ((teachers,), (teachers, samples), (teachers, samples, samples)):
        found = weights_of(Equal(), weights, teachers, samples)
        assert found.shape == shape
        assert not found.requires_grad
    else:
        with pytest.raises(PluginError, match=r"equal\.Equal\.weigh: found shape"):
            weights_of(Equal(), weights, teachers, samples)


@pytest.mark.parametrize("value", [None, 0.5, [0.5, 0.5], np.full(2, 0.5)])
def test_what_is_no_tensor(value: Any) -> None:
    with pytest.raises(PluginError, match=r"Equal\.weigh: found .*, expected a torch tensor of shape \[2\] or \[2, 3\]"):
        weights_of(Equal(), value, 2, 3)
    with pytest.raises(PluginError, match=r"Feature\.losses: found .*, expected a torch tensor of shape \[3\]"):
        checked_losses(Feature(), value, 3)
    with pytest.raises(PluginError, match=r"auxiliary_loss: found"):
        checked_auxiliary(Equal(), value)


def test_losses_are_numbers_with_a_fraction() -> None:
    with pytest.raises(PluginError, match="found int64, expected floating-point numbers"):
        checked_losses(Feature(), torch.zeros(3, dtype=torch.int64), 3)
    with pytest.raises(PluginError, match=r"auxiliary_loss: found shape \[2\], expected \[\]"):
        checked_auxiliary(Equal(), torch.zeros(2))


def test_heads() -> None:
    head = nn.Linear(2, 3)
    assert checked_head(Feature(), head) is head
    assert checked_head(Feature(), None) is None
    with pytest.raises(PluginError, match=r"Feature\.head: found float32 of shape \[2\], expected a torch.nn.Module or None"):
        checked_head(Feature(), torch.zeros(2))


class Half(Equal):
    def state_dict(self) -> dict[str, Any]:
        return {}


def test_strategies_and_objectives_have_their_methods() -> None:
    assert isinstance(checked_strategy(Equal()), Equal)
    assert isinstance(checked_objective(Feature()), Feature)
    with pytest.raises(PluginError, match=r"feature\.Feature\.weigh: found nothing"):
        checked_strategy(Feature())
    with pytest.raises(PluginError, match=r"equal\.Equal\.head: found nothing"):
        checked_objective(Equal())
    with pytest.raises(PluginError, match=r"Half\.state_dict: found this method alone"):
        checked_strategy(Half())


@pytest.mark.parametrize("report", [[1.0], {"a": torch.tensor(1.0)}, {1: 2.0}, {"a": "b"}])
def test_reports_are_names_and_numbers(report: Any) -> None:
    with pytest.raises(PluginError, match=r"Equal\.report: found"):
        checked_report(Equal(), report)
    assert checked_report(Equal(), None) == {}
    assert checked_report(Equal(), {"a": 1}) == {"a": 1.0}


@pytest.mark.parametrize(
    "views", [None, torch.zeros(3, 2), [], [torch.zeros(2, 2)], [torch.tensor(1.0)], [torch.zeros(3), None]]
)
def test_outputs_have_a_row_per_sample(views: Any) -> None:
    with pytest.raises(PluginError, match=r"regression_task\.Regression\.forward: found"):
        checked_views(Regression(), views, 3)
    good: list[Tensor] = [torch.zeros(3, 2), torch.zeros(7)]
    assert checked_views(Regression(), good, 3) is good


class Measures(Regression):
    metrics = (Metric("mse", "MSE", headline=True), Metric("mae", "MAE"))

    def __init__(self, found: Any) -> None:
        self.found = found

    def measure(self, arrays: Any) -> Any:  # noqa: ARG002
        return self.found


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "1", True, torch.tensor(1.0), [1.0]])
def test_every_metric_is_a_finite_number(value: Any) -> None:
    with pytest.raises(PluginError, match=r"Measures\.measure\['mae'\]: found .*, expected a finite number"):
        measured(Measures({"mse": 1.0} | ({} if value is None else {"mae": value})), {})
    with pytest.raises(PluginError, match=r"Measures\.measure: found"):
        measured(Measures([1.0]), {})
    assert measured(Measures({"mse": 1.0, "mae": np.float64(2)}), {}) == {"mse": 1.0, "mae": 2.0}


def test_outputs_are_finite_or_cannot_be_read() -> None:
    whole = random_pairs(4, 3)
    assert all_finite(whole)
    assert not all_finite(replace(whole, text=whole.text.index_fill(0, torch.tensor([2]), math.nan)))
    assert all_finite(replace(whole, image=whole.image[:, :0]))


@pytest.mark.parametrize("low", [-1e-4, -0.5])
def test_losses_below_zero_are_refused_beyond_rounding(low: float) -> None:
    losses, student = torch.tensor([0.3, low, 0.2]), random_pairs(3, 3, learn=True)
    if low > -1e-3:
        check_first(Feature(), losses, student)
    else:
        with pytest.raises(PluginError, match=r"Feature\.losses: found -0\.5 for sample 1, expected losses of 0 or more"):
            check_first(Feature(), losses, student)


def test_losses_of_no_number_are_the_objectives_fault_if_the_students_outputs_are_finite() -> None:
    losses, student = torch.tensor([0.3, math.nan]), random_pairs(2, 3, learn=True)
    with pytest.raises(NotFinite, match="first step: found nan for finite outputs"):
        check_first(Feature(), losses, student)
    check_first(Feature(), losses, replace(student, image=student.image * math.inf))  # the run has diverged


def test_losses_depend_on_the_student() -> None:
    student = random_pairs(2, 3, learn=True)
    check_taught(Feature(), student.image.sum(dim=1), student)
    with pytest.raises(PluginError, match=r"Feature\.losses: found losses without a gradient"):
        check_taught(Feature(), student.image.sum(dim=1).detach(), student)
    with torch.no_grad():
        check_taught(Feature(), student.image.sum(dim=1), student)
