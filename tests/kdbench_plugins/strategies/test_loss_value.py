"""`loss_value`."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Literal, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kdbench import Signal
from kdbench.plugins.parameters import params_model
from kdbench_plugins.strategies.loss_value import LossValue, inverse, kdbench_strategies, proportional
from tests.support.toys import signal_of

Direction = Literal["proportional", "inverse"]
DIRECTIONS: list[Direction] = ["proportional", "inverse"]
BATCH = 4


def seen(losses: Tensor) -> Signal:
    """A signal with nothing in it but the losses."""
    return cast(Signal, SimpleNamespace(losses=losses))


def drawn(teachers: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.rand(teachers, BATCH, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_weights_equal_the_loops(teachers: int) -> None:
    losses = drawn(teachers)
    means = [sum(row) / BATCH for row in losses.tolist()]
    expected = [mean / sum(means) for mean in means]
    assert LossValue().weigh(seen(losses)).tolist() == pytest.approx(expected, rel=1e-12)
    expected = [1 / mean / sum(1 / other for other in means) for mean in means]
    assert LossValue(direction="inverse").weigh(seen(losses)).tolist() == pytest.approx(expected, rel=1e-12)


def test_proportional_weights_descend_half_the_sum_of_squares() -> None:
    """Σ w_t ∇ℓ_t = ∇(½ Σ ℓ_t²) / Σ ℓ_t."""
    x = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    losses = torch.stack([(x - 1).square().sum(), x.exp().sum(), (3 * x).cosh().mean()])
    weights = LossValue().weigh(seen(losses.detach()[:, None]))
    (weighted,) = torch.autograd.grad((weights * losses).sum(), x, retain_graph=True)
    (expected,) = torch.autograd.grad(losses.square().sum() / 2, x)
    torch.testing.assert_close(weighted, expected / losses.detach().sum())


def test_inverse_weights_make_all_weighted_losses_equal() -> None:
    losses = drawn(4)
    weighted = LossValue(direction="inverse").weigh(seen(losses)) * losses.mean(dim=1)
    torch.testing.assert_close(weighted, weighted[:1].expand(4))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_permuted_teachers_have_permuted_weights(direction: Direction) -> None:
    losses, order = drawn(5), [3, 0, 4, 1, 2]
    strategy = LossValue(direction=direction)
    torch.testing.assert_close(strategy.weigh(seen(losses[order])), strategy.weigh(seen(losses))[order])


@pytest.mark.parametrize("size", [1e-30, 1e-8, 1e8, 1e30])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_size_of_all_losses_does_not_matter(direction: Direction, size: float) -> None:
    strategy = LossValue(direction=direction)
    torch.testing.assert_close(strategy.weigh(seen(size * drawn(3))), strategy.weigh(seen(drawn(3))))


@pytest.mark.parametrize("loss", [0.0, 1e-8, 1.0, 1e8, 3e38])
@pytest.mark.parametrize("teachers", [1, 3])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_equal_losses_have_equal_weights(direction: Direction, teachers: int, loss: float) -> None:
    weights = LossValue(direction=direction).weigh(seen(torch.full((teachers, BATCH), loss)))
    assert weights.tolist() == [pytest.approx(1 / teachers)] * teachers
    assert weights.dtype == torch.float32
    if teachers == 1:
        assert weights.tolist() == [1]


@given(st.lists(st.sampled_from([0.0, -1e-9, 1e-300, 1e-8, 1.0, 3.0, 1e8, 1e300]), min_size=1, max_size=6))
def test_weights_are_a_simplex_in_the_order_of_the_losses(values: list[float]) -> None:
    losses = torch.tensor(values, dtype=torch.float64)
    for weights, sign in ((proportional(losses), 1), (inverse(losses), -1)):
        assert weights.min() >= 0
        assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
        ordered = weights[losses.clamp(min=0).argsort()]
        assert (sign * ordered.diff() >= 0).all()


def test_losses_of_zero() -> None:
    losses = torch.tensor([2.0, 0.0, 6.0, 0.0])
    assert proportional(losses).tolist() == [0.25, 0, 0.75, 0]
    assert inverse(losses).tolist() == [0, 0.5, 0, 0.5]


def test_a_run_that_diverged_raises_nothing() -> None:
    for value in (math.nan, math.inf):
        for direction in DIRECTIONS:
            assert LossValue(direction=direction).weigh(seen(torch.tensor([[1.0], [value]]))).shape == (2,)


def test_no_gradient_is_read_and_none_is_left() -> None:
    signal = signal_of(torch.ones(3, 4, dtype=torch.float64))
    assert not LossValue().weigh(signal).requires_grad
    assert not {"gradients", "gramian"} & set(vars(signal))


def test_a_suite_cannot_give_other_parameters() -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"direction": "proportional"}
    for given_parameters in ({"direction": "up"}, {"mode": "inverse"}):
        with pytest.raises(ValueError, match=next(iter(given_parameters))):
            model(**given_parameters)


def test_the_reconstruction_is_called_one() -> None:
    (offer,) = kdbench_strategies()
    assert (offer.name, offer.status) == ("loss_value", "reconstruction")
