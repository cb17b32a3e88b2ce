"""`random`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdbench.training.signal import StepSignal
from kdbench_plugins.strategies.random import Random
from tests.support.toys import signal_of


def draws(seed: int, teachers: int, count: int) -> tuple[Tensor, StepSignal]:
    strategy, signal = Random(), signal_of(torch.ones(teachers, 4, dtype=torch.float64), seed=seed)
    return torch.stack([strategy.weigh(signal) for _ in range(count)]), signal


def test_one_teacher_speaks_at_a_time_and_no_gradient_is_read() -> None:
    weights, signal = draws(0, 3, 50)
    assert ((weights == 0) | (weights == 1)).all()
    assert (weights.sum(dim=1) == 1).all()
    assert not {"gradients", "gramian"} & set(vars(signal))


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_teachers_are_drawn_uniformly(teachers: int) -> None:
    count = 3000
    weights, _ = draws(1, teachers, count)
    expected = count / teachers
    # Five standard deviations of a binomial; the seed is fixed.
    assert (weights.sum(dim=0) - expected).abs().max() < 5 * (expected * (1 - 1 / teachers)) ** 0.5


def test_successive_draws_are_independent() -> None:
    weights, _ = draws(2, 2, 3000)
    repeats = (weights[1:] * weights[:-1]).sum(dim=1).mean()
    assert abs(float(repeats) - 0.5) < 0.05


def test_draws_come_from_the_generator_of_the_run_alone() -> None:
    first, _ = draws(3, 4, 40)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    second, _ = draws(3, 4, 40)
    assert first.equal(second)
    assert torch.get_rng_state().equal(before)
    other, _ = draws(4, 4, 40)
    assert not first.equal(other)
