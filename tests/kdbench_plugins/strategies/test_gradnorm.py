"""`gradnorm` against the gradient of its loss by autograd, as LibMTL writes it, and at its optimum."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from kdbench import Signal
from kdbench_plugins.strategies.gradnorm import GradNorm

NORMS = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64)


def seen(losses: Tensor, norms: Tensor = NORMS) -> Signal:
    """A signal of orthogonal gradients with the given norms."""
    return cast(Signal, SimpleNamespace(losses=losses, gramian=norms.square().diag()))


def drawn(steps: int) -> Tensor:
    return 0.1 + torch.rand(steps, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_weights_follow_the_gradient_of_the_loss(alpha: float) -> None:
    losses = drawn(20)
    strategy = GradNorm(alpha=alpha, lr=0.1)
    s = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([s], lr=0.1)
    for step in range(20):
        weights = s.softmax(dim=0)
        torch.testing.assert_close(strategy.weigh(seen(losses[step])), weights.detach())
        lengths = weights[:, None] * (NORMS / NORMS.mean()).diag()  # [T, n], the weighted gradients
        lengths = lengths.norm(dim=1)
        rates = losses[step].mean(dim=1) / losses[0].mean(dim=1)
        target = (lengths.mean() * (rates / rates.mean()) ** alpha).detach()
        adam.zero_grad()
        (lengths - target).abs().sum().backward()
        adam.step()


def test_alpha_zero_ends_at_equal_lengths() -> None:
    """GradNorm with alpha = 0 is `equal_norm` in the limit."""
    strategy = GradNorm(alpha=0.0, lr=0.01)
    for _ in range(600):
        weights = strategy.weigh(seen(torch.ones(3, 1, dtype=torch.float64)))
    torch.testing.assert_close(weights, (1 / NORMS) / (1 / NORMS).sum(), atol=0.03, rtol=0)


def test_a_teacher_that_is_learned_slowly_gains_weight() -> None:
    strategy = GradNorm()
    falling = torch.ones(3, 1, dtype=torch.float64)
    for _ in range(50):
        weights = strategy.weigh(seen(falling, torch.ones(3, dtype=torch.float64)))
        falling = falling * torch.tensor([[1.0], [0.9], [0.9]], dtype=torch.float64)
    assert weights.argmax() == 0


def test_values_that_are_not_finite_change_nothing() -> None:
    strategy = GradNorm()
    strategy.weigh(seen(torch.ones(3, 1)))
    before = strategy.state_dict()["logits"]
    strategy.weigh(seen(torch.tensor([[1.0], [float("nan")], [1.0]])))
    strategy.weigh(seen(torch.ones(3, 1), torch.zeros(3, dtype=torch.float64)))
    assert strategy.state_dict()["logits"].equal(before)
