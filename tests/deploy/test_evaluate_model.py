"""One model on a dataset's split, outside any run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdbench.deploy.evaluate_model import evaluate_model
from kdbench.errors import Diverged
from kdbench.tasks.retrieval import Retrieval
from tests.support.regression_task import Linear, Perceptron, Regression, Vectors
from tests.support.toys import Sage, cached, encoded, module_of, rank_split, toy


def test_a_student(tmp_path: Path) -> None:
    student = toy(dropout=0.5)
    found = evaluate_model(Retrieval(), cached(tmp_path), student, "validation", batch_size=5)
    expected = rank_split(student, encoded(tmp_path, student, "validation"))
    np.testing.assert_array_equal(found["text"], expected.text)
    np.testing.assert_array_equal(found["image"], expected.image)
    assert module_of(student).training  # as it was


def test_a_teacher_itself(tmp_path: Path) -> None:
    data = cached(tmp_path)
    found = evaluate_model(Retrieval(), data, Sage())
    assert (len(found["text"]), len(found["image"])) == (20, 30)
    np.testing.assert_array_equal(found["text"], Retrieval().evaluate_teacher(Sage(), data, "test")["text"])


def test_a_model_that_diverged(tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        evaluate_model(Retrieval(), cached(tmp_path), toy(poisoned=True))


def test_another_task() -> None:
    task = Regression()
    student, teacher = (evaluate_model(task, Vectors(), model) for model in (Perceptron(), Linear()))
    assert task.measure(teacher)["mse"] < task.measure(student)["mse"]
