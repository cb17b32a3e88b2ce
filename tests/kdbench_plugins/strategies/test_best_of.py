"""`best_of`: one teacher a sample, the one that is right most clearly."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor

from kdbench import Signal
from kdbench_plugins.strategies.best_of import BestOf


def weights(truth_losses: list[list[float]]) -> Tensor:
    """Reads nothing but the teachers' cross-entropies."""
    return BestOf().weigh(cast(Signal, SimpleNamespace(truth_losses=torch.tensor(truth_losses))))


def test_all_weight_is_for_the_best_teacher_of_each_sample() -> None:
    assert weights([[0.1, 2.0, 3.0], [0.2, 1.0, 4.0]]).tolist() == [[1, 0, 1], [0, 1, 0]]


def test_equally_good_teachers_share() -> None:
    assert weights([[0.5, 1.0], [0.5, 2.0], [0.7, 1.0]]).tolist() == [[0.5, 0.5], [0.5, 0], [0, 0.5]]


def test_one_teacher_has_all() -> None:
    assert weights([[0.5, 1.0]]).tolist() == [[1, 1]]
