"""`quality_retaining` against a moving average written out."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from kdbench import Signal
from kdbench.plugins.parameters import params_model
from kdbench.storage.checkpoint import load, save
from kdbench_plugins.strategies.loss_value import LossValue
from kdbench_plugins.strategies.quality_retaining import QualityRetaining, kdbench_strategies

BATCH = 4


def seen(losses: Tensor) -> Signal:
    """A signal with nothing in it but the losses."""
    return cast(Signal, SimpleNamespace(losses=losses))


def drawn(teachers: int, steps: int, seed: int = 0) -> Tensor:
    """Losses of every step, [steps, T, B]."""
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.rand(steps, teachers, BATCH, generator=generator, dtype=torch.float64)


def weighed(strategy: QualityRetaining, steps: Tensor) -> Tensor:
    return torch.stack([strategy.weigh(seen(losses)) for losses in steps])


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
def test_weights_equal_the_loops(momentum: float) -> None:
    losses = drawn(3, 30)
    found = weighed(QualityRetaining(momentum=momentum), losses)
    for step in range(30):
        inverses = []
        for teacher in range(3):
            means = [sum(row[teacher]) / BATCH for row in losses.tolist()]
            # The first loss keeps what no later one has taken over.
            average = momentum**step * means[0]
            average += sum((1 - momentum) * momentum ** (step - k) * means[k] for k in range(1, step + 1))
            inverses.append(1 / average)
        assert found[step].tolist() == pytest.approx([value / sum(inverses) for value in inverses], rel=1e-10)


def test_the_first_step_and_no_momentum_are_the_inverse_losses() -> None:
    losses = drawn(4, 5)
    plain = LossValue(direction="inverse")
    expected = torch.stack([plain.weigh(seen(step)) for step in losses])
    torch.testing.assert_close(weighed(QualityRetaining(momentum=0.0), losses), expected)
    torch.testing.assert_close(weighed(QualityRetaining(), losses)[0], expected[0])


def test_constant_losses_are_weighted_to_be_equal() -> None:
    losses = drawn(3, 1).expand(50, -1, -1)
    weighted = weighed(QualityRetaining(), losses)[-1] * losses[0].mean(dim=1)
    torch.testing.assert_close(weighted, weighted[:1].expand(3))


def test_a_spike_is_smoothed_and_forgotten() -> None:
    losses = torch.ones(200, 2, BATCH, dtype=torch.float64)
    losses[10, 0] = 21.0
    first = weighed(QualityRetaining(momentum=0.95), losses)[:, 0]
    assert float(first[9]) == 0.5
    assert float(first[10]) == pytest.approx(1 / 3)  # averages 2 and 1
    assert float(first[11]) == pytest.approx(1 / 2.95)
    assert (first[10:].diff() > 0).all()
    assert float(first[-1]) == pytest.approx(0.5, abs=1e-4)


def test_permuted_teachers_have_permuted_weights() -> None:
    losses, order = drawn(5, 8), [3, 0, 4, 1, 2]
    found = weighed(QualityRetaining(), losses[:, order])
    torch.testing.assert_close(found, weighed(QualityRetaining(), losses)[:, order])


@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_the_size_of_all_losses_does_not_matter(size: float) -> None:
    losses = drawn(3, 8)
    torch.testing.assert_close(weighed(QualityRetaining(), size * losses), weighed(QualityRetaining(), losses))


@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_any_sequence_of_losses_gives_a_simplex(teachers: int) -> None:
    strategy = QualityRetaining()
    for step, size in enumerate([0.0, 0.0, 1e8, 0.0, 1e-8, 1.0]):
        losses = size * drawn(teachers, 1, seed=step)[0].float()
        losses[0] = 0
        weights = strategy.weigh(seen(losses))
        assert weights.dtype == torch.float32
        assert weights.min() >= 0
        assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
        if teachers == 1:
            assert weights.tolist() == [1]


def test_teachers_without_loss_share_all() -> None:
    losses = torch.tensor([[0.0], [1.0], [-1e-9]])  # rounding may leave a divergence just below zero
    assert QualityRetaining().weigh(seen(losses)).tolist() == [0.5, 0, 0.5]


def test_a_run_that_diverged_raises_nothing() -> None:
    for value in (math.nan, math.inf):
        assert weighed(QualityRetaining(), torch.tensor([[[1.0], [value]]] * 3)).shape == (3, 2)


@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_state_saved_and_loaded_goes_on_to_the_last_bit(tmp_path: Path, at: int) -> None:
    losses = drawn(3, 9)
    strategy = QualityRetaining()
    before = weighed(strategy, losses[:at]) if at else torch.empty(0, 3, dtype=torch.float64)
    save(tmp_path / "state", strategy.state_dict())
    state = load(tmp_path / "state")
    assert state
    weighed(strategy, losses[:2])  # what the first one does next is no matter of the second's
    fresh = QualityRetaining()
    fresh.load_state_dict(state)
    assert torch.cat([before, weighed(fresh, losses[at:])]).equal(weighed(QualityRetaining(), losses))


def test_a_suite_cannot_give_other_parameters() -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"momentum": 0.95}
    wrong: list[dict[str, Any]] = [{"momentum": 1.0}, {"momentum": -0.1}, {"beta": 0.9}]
    for parameters in wrong:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            model(**parameters)
    assert (offer.name, offer.status) == ("quality_retaining", "published")
