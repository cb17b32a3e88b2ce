"""Evaluation sets eval mode, takes no gradients, and restores the mode; whatever the task."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.typing import NDArray

from kdbench.training.evaluation import evaluated
from tests.support.regression_task import Perceptron, Regression, Vectors


class Watching(Regression):
    """Notes how the student is when it is evaluated."""

    seen: list[tuple[bool, bool]] = []

    def evaluate(self, student: Any, *settings: Any) -> dict[str, NDArray[Any]]:
        self.seen.append((student.module.training, torch.is_grad_enabled()))
        return super().evaluate(student, *settings)


@pytest.mark.parametrize("training", [True, False])
def test_the_student_is_in_eval_mode_without_gradients_and_its_mode_is_kept(training: bool) -> None:
    torch.manual_seed(0)
    student: Any = Perceptron()
    student.module.train(training)
    Watching.seen.clear()
    first, second = (evaluated(Watching(), student, Vectors().split("test"), 16, "cpu") for _ in range(2))
    assert Watching.seen == [(False, False)] * 2
    assert student.module.training is training
    assert torch.is_grad_enabled()
    assert (first["mse"] == second["mse"]).all()  # no dropout


class Model:
    """A student whose module is not torch's, such as an exported one."""

    def __init__(self) -> None:
        self.module = Perceptron().module.eval().forward


def test_a_module_that_is_not_torchs_is_evaluated_as_it_is() -> None:
    model: Any = Model()
    assert len(evaluated(Regression(), model, Vectors().split("test"), 16, "cpu")["mae"]) == 600
