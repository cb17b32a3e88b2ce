"""`stch` against the closed form of TorchJD's gradient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from kdbench import Signal
from kdbench_plugins.strategies.stch import Stch


def seen(losses: torch.Tensor) -> Signal:
    return cast(Signal, SimpleNamespace(losses=losses))


@pytest.mark.parametrize("mu", [0.01, 0.1, 1.0])
def test_weights_are_the_softmax_of_the_losses(mu: float) -> None:
    losses = 3 * torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        found = Stch(mu=mu).weigh(seen(losses))
    torch.testing.assert_close(found, (losses.mean(dim=1) / (3 * mu)).softmax(dim=0))
    assert not found.requires_grad


def test_a_small_mu_takes_the_largest_loss_alone() -> None:
    weights = Stch(mu=1e-6).weigh(seen(torch.tensor([[1.0], [1.01], [1e8]])))
    assert weights.tolist() == [0, 0, 1]
