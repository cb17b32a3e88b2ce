"""`uncertainty` against Kendall's loss and an Adam written out."""

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
from kdbench_plugins.strategies.uncertainty import BOUND, Uncertainty, kdbench_strategies
from tests.support.toys import signal_of

BATCH = 4


def seen(losses: Tensor) -> Signal:
    """A signal with nothing in it but the losses and the teachers' names."""
    return cast(Signal, SimpleNamespace(losses=losses, teachers=tuple("abcdefgh"[: len(losses)])))


def drawn(teachers: int, steps: int, seed: int = 0) -> Tensor:
    """Losses of every step, [steps, T, B]."""
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.rand(steps, teachers, BATCH, generator=generator, dtype=torch.float64)


def weighed(strategy: Uncertainty, steps: Tensor) -> Tensor:
    return torch.stack([strategy.weigh(seen(losses)) for losses in steps])


@pytest.mark.parametrize("lr", [0.01, 0.3])
def test_weights_equal_the_loops(lr: float) -> None:
    losses = drawn(3, 40)
    strategies = [Uncertainty(lr=lr), Uncertainty(lr=lr, normalize=False)]
    found, raw = (weighed(strategy, losses) for strategy in strategies)
    s, first, second = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for step in range(40):
        total = sum(math.exp(-value) for value in s)
        assert found[step].tolist() == pytest.approx([math.exp(-value) / total for value in s], rel=1e-9)
        assert raw[step].tolist() == pytest.approx([math.exp(-value) / 2 for value in s], rel=1e-9)
        leaf = torch.tensor(s, dtype=torch.float64, requires_grad=True)
        (0.5 * (-leaf).exp() * losses[step].mean(dim=1) + 0.5 * leaf).sum().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        for place, grad in enumerate(leaf.grad.tolist()):
            first[place] = 0.9 * first[place] + 0.1 * grad
            second[place] = 0.999 * second[place] + 0.001 * grad**2
            mean, square = first[place] / (1 - 0.9 ** (step + 1)), second[place] / (1 - 0.999 ** (step + 1))
            s[place] -= lr * mean / (math.sqrt(square) + 1e-8)
    assert list(strategies[0].report().values()) == pytest.approx(s, rel=1e-9)
    assert strategies[0].report() == strategies[1].report()


def test_constant_losses_are_learned() -> None:
    """The best s_t is ln ℓ_t: the weights end in proportion to 1/ℓ_t, and raw ones at ½/ℓ_t."""
    losses = torch.tensor([0.2, 1.0, 7.0], dtype=torch.float64)[:, None]
    strategy, raw = Uncertainty(lr=0.05), Uncertainty(lr=0.05, normalize=False)
    found, raws = (weighed(each, losses.expand(1500, 3, 1))[-1] for each in (strategy, raw))
    assert list(strategy.report().values()) == pytest.approx([math.log(0.2), 0, math.log(7)], abs=1e-6)
    torch.testing.assert_close(found * losses[:, 0], torch.full((3,), 1 / (5 + 1 + 1 / 7), dtype=torch.float64))
    torch.testing.assert_close(raws * losses[:, 0], torch.full((3,), 0.5, dtype=torch.float64))


def test_a_step_is_weighed_before_it_is_learned_from() -> None:
    assert (weighed(Uncertainty(), drawn(4, 1)) == 0.25).all()
    assert (weighed(Uncertainty(normalize=False), drawn(4, 1)) == 0.5).all()
    losses = drawn(3, 6)
    other = losses.clone()
    other[5] = 100 * drawn(3, 1, seed=1)[0]
    assert weighed(Uncertainty(), losses).equal(weighed(Uncertainty(), other))


def test_only_raw_weights_are_declared_raw() -> None:
    assert not Uncertainty().raw
    assert Uncertainty(normalize=False).raw


def test_the_report_names_the_teachers() -> None:
    strategy = Uncertainty()
    assert strategy.report() == {}
    strategy.weigh(seen(torch.tensor([[0.1], [10.0]])))
    assert strategy.report() == {"log_variance/a": pytest.approx(-0.01), "log_variance/b": pytest.approx(0.01)}


def test_permuted_teachers_have_permuted_weights() -> None:
    losses, order = drawn(5, 20), [3, 0, 4, 1, 2]
    found = weighed(Uncertainty(lr=0.1), losses[:, order])
    torch.testing.assert_close(found, weighed(Uncertainty(lr=0.1), losses)[:, order])


def test_teachers_that_are_alike_are_equal() -> None:
    for loss in (0.0, 1.0, 1e8):
        assert (weighed(Uncertainty(lr=1.0), torch.full((50, 4, BATCH), loss)) == 0.25).all()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_any_sequence_of_losses_gives_finite_weights(teachers: int, normalize: bool) -> None:
    strategy = Uncertainty(lr=3.0, normalize=normalize)
    for step in range(200):
        size = [0.0, 1e8, 1e-8, 0.0, 1.0][step // 10 % 5]
        losses = size * drawn(teachers, 1, seed=step)[0].float()
        losses[0] = 0
        weights = strategy.weigh(seen(losses))
        assert weights.dtype == torch.float32
        assert weights.isfinite().all()
        assert weights.min() >= 0
        assert max(map(abs, strategy.report().values())) <= BOUND
        if normalize:
            assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
        if normalize and teachers == 1:
            assert weights.tolist() == [1]
    assert strategy.report()["log_variance/a"] == -BOUND


def test_a_loss_that_rounding_made_negative_counts_as_zero() -> None:
    one, two = (weighed(Uncertainty(), torch.tensor([[loss], [1.0]]).expand(5, 2, 1)) for loss in (-1e-9, 0.0))
    assert one.equal(two)


def test_a_huge_loss_moves_no_further_than_another() -> None:
    for size in (10.0, 1e8):
        strategy = Uncertainty(lr=0.1)
        strategy.weigh(seen(torch.full((2, BATCH), size)))
        assert list(strategy.report().values()) == pytest.approx([0.1, 0.1])


def test_a_run_that_diverged_raises_nothing() -> None:
    for value in (math.nan, math.inf):
        assert weighed(Uncertainty(), torch.tensor([[[1.0], [value]]] * 3)).shape == (3, 2)


def test_no_gradient_is_read_none_is_left_and_nothing_is_drawn() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    signal = signal_of(torch.ones(3, 4, dtype=torch.float64))
    drawer = signal.generator.get_state()
    for normalize in (True, False):
        assert not Uncertainty(normalize=normalize).weigh(signal).requires_grad
    assert not {"gradients", "gramian"} & set(vars(signal))
    assert torch.get_rng_state().equal(before)
    assert signal.generator.get_state().equal(drawer)


def test_it_learns_where_gradients_are_off() -> None:
    with torch.no_grad():
        found = weighed(Uncertainty(), drawn(3, 5))
    assert found.equal(weighed(Uncertainty(), drawn(3, 5)))


@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_state_saved_and_loaded_goes_on_to_the_last_bit(tmp_path: Path, at: int) -> None:
    losses = drawn(3, 15)
    strategy = Uncertainty(lr=0.1)
    before = weighed(strategy, losses[:at]) if at else torch.empty(0, 3, dtype=torch.float64)
    state = strategy.state_dict()
    save(tmp_path / "state", state)
    weighed(strategy, losses[:2])  # what the first one does next is no matter of the others'
    whole = weighed(Uncertainty(lr=0.1), losses)
    loaded = load(tmp_path / "state")
    assert loaded is not None
    for given in (loaded, state, state):  # twice: nor what a second one does of the third's
        fresh = Uncertainty(lr=0.1)
        fresh.load_state_dict(given)
        assert torch.cat([before, weighed(fresh, losses[at:])]).equal(whole)


def test_a_suite_cannot_give_other_parameters() -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"lr": 0.01, "normalize": True}
    wrong: list[dict[str, Any]] = [{"lr": 0.0}, {"lr": -1.0}, {"normalize": "l2"}, {"momentum": 0.9}]
    for parameters in wrong:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            model(**parameters)
    assert (offer.name, offer.status) == ("uncertainty", "published")
