"""The baseline of `rl_select`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdbench_plugins.strategies.rl_baseline import Baseline


def batches(count: int, scale: float = 1.0, shift: float = 0.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(5, generator=generator, dtype=torch.float64) + shift for _ in range(count)]


@pytest.mark.parametrize("standardize", [True, False])
def test_advantages_in_plain_loops(standardize: bool) -> None:
    baseline = Baseline(0.8, standardize)
    given = batches(6, scale=2.0, shift=-3.0)
    first = given[0].tolist()
    mean = sum(first) / 5
    square = sum((r - mean) ** 2 for r in first) / 5
    assert baseline.advantages(given[0]).tolist() == [0.0] * 5
    for rewards in given[1:]:
        distances = [r - mean for r in rewards.tolist()]
        mean = 0.8 * mean + 0.2 * sum(rewards.tolist()) / 5
        square = 0.8 * square + 0.2 * sum(d**2 for d in distances) / 5
        expected = [d / square**0.5 for d in distances] if standardize else distances
        assert baseline.advantages(rewards).tolist() == pytest.approx(expected, rel=1e-9)


def test_the_unit_and_the_zero_of_rewards_do_not_matter() -> None:
    one, other = Baseline(0.9, True), Baseline(0.9, True)
    for rewards, scaled in zip(batches(5), batches(5, 1e6, 40.0), strict=True):
        torch.testing.assert_close(other.advantages(scaled), one.advantages(rewards), rtol=0, atol=1e-6)


def test_the_baseline_does_not_know_the_batch_it_judges() -> None:
    baseline = Baseline(0.5, False)
    baseline.advantages(torch.tensor([1.0, 3.0]))
    assert baseline.advantages(torch.tensor([7.0, 100.0])).tolist() == [5.0, 98.0]


def test_rewards_that_never_change_are_worth_nothing_and_a_sudden_one_is_worth_a_bounded_sum() -> None:
    baseline = Baseline(0.9, True)
    for _ in range(3):
        assert baseline.advantages(torch.full((4,), -2.0)).tolist() == [0.0] * 4
    found = baseline.advantages(torch.tensor([-2.0, -2.0, -2.0, -1e6]))
    assert found.isfinite().all()
    assert found.abs().max() <= (4 / 0.1) ** 0.5 + 1e-4
