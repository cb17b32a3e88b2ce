"""`famo` against TorchJD's FAMO in a training of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor
from torchjd.scalarization import FAMO

from kdbench import Signal
from kdbench.storage.checkpoint import load, save
from kdbench_plugins.strategies.famo import Famo


def seen(losses: Tensor) -> Signal:
    return cast(Signal, SimpleNamespace(losses=losses))


def losses_at(x: Tensor) -> Tensor:
    """[3, 4]: three losses of every sample that disagree about x."""
    samples = torch.linspace(0.5, 1.5, 4, dtype=torch.float64)
    return torch.stack([(x - 1).square() * samples, 5 * (x + 2).square() * samples, 0.1 + x.square() * samples])


def test_a_training_equals_the_librarys() -> None:
    ours, theirs = (torch.tensor(0.3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    strategy, scalarizer = Famo(lr=0.1), FAMO(3, lr=0.1).double()
    for _ in range(30):
        weights = strategy.weigh(seen(losses_at(ours).detach()))
        (grad,) = torch.autograd.grad((weights * losses_at(ours).mean(dim=1)).sum(), ours)
        (expected,) = torch.autograd.grad(scalarizer(losses_at(theirs).mean(dim=1)), theirs)
        torch.testing.assert_close(grad, expected)
        with torch.no_grad():
            ours -= 0.01 * grad
            theirs -= 0.01 * expected
            strategy.observe_after(losses_at(ours))
            scalarizer.update(losses_at(theirs).mean(dim=1))
    assert weights.std() > 0.01


def test_equal_logits_weigh_by_the_inverse_loss() -> None:
    losses = torch.tensor([[1.0], [4.0]], dtype=torch.float64)
    torch.testing.assert_close(Famo().weigh(seen(losses)), torch.tensor([0.8, 0.2], dtype=torch.float64))


def test_a_loss_that_falls_less_gains_weight() -> None:
    strategy = Famo()
    losses = torch.ones(2, 3, dtype=torch.float64)
    strategy.weigh(seen(losses))
    strategy.observe_after(losses * torch.tensor([[0.5], [0.99]], dtype=torch.float64))
    first, second = strategy.weigh(seen(losses)).tolist()
    assert second > first


def test_a_state_saved_and_loaded_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    def walked(strategy: Famo, steps: range) -> list[list[float]]:
        found = []
        for step in steps:
            losses = losses_at(torch.tensor(step / 7))
            found.append(strategy.weigh(seen(losses)).tolist())
            strategy.observe_after(losses * torch.tensor([[0.9], [0.5], [0.99]]))
        return found

    whole, strategy = walked(Famo(), range(10)), Famo()
    for at in range(10):
        save(tmp_path / "state", strategy.state_dict())
        state = load(tmp_path / "state")
        assert state is not None
        fresh = Famo()
        fresh.load_state_dict(state)
        assert walked(fresh, range(at, 10)) == whole[at:]
        walked(strategy, range(at, at + 1))
