"""`dwa` over epochs of given losses, and in a real training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from kdbench import Signal
from kdbench.plugins.parameters import params_model
from kdbench.runs.execute import execute
from kdbench.storage.checkpoint import load, save
from kdbench_plugins.strategies.dwa import MOST, Dwa, kdbench_strategies, ratio
from tests.support.toys import plugged, run_context, run_spec

BATCH = 4
STEPS = 3  # in an epoch


def seen(losses: Tensor) -> Signal:
    """A signal with nothing in it but the losses."""
    return cast(Signal, SimpleNamespace(losses=losses))


def drawn(teachers: int, epochs: int, seed: int = 0) -> Tensor:
    """Losses of every step of every epoch, [epochs, STEPS, T, B]."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + 3 * torch.rand(epochs, STEPS, teachers, BATCH, generator=generator, dtype=torch.float64)


def weighed(strategy: Dwa, epochs: Tensor) -> Tensor:
    """The weights of every step, [epochs, STEPS, T]."""
    found = []
    for epoch in epochs:
        found.append(torch.stack([strategy.weigh(seen(losses)) for losses in epoch]))
        strategy.end_epoch(None)
    return torch.stack(found)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("teachers", [2, 4])
def test_weights_equal_the_loops(teachers: int, temperature: float) -> None:
    losses = drawn(teachers, 6)
    found = weighed(Dwa(temperature=temperature), losses)
    means = [[sum(sum(step[t]) for step in epoch) / STEPS / BATCH for t in range(teachers)] for epoch in losses.tolist()]
    for epoch in range(6):
        expected = [1 / teachers] * teachers
        if epoch >= 2:
            exponentials = [math.exp(means[epoch - 1][t] / means[epoch - 2][t] / temperature) for t in range(teachers)]
            expected = [value / sum(exponentials) for value in exponentials]
        for step in range(STEPS):
            assert found[epoch, step].tolist() == pytest.approx(expected, rel=1e-12)


def test_the_published_temperature_is_two() -> None:
    """Losses that fell to a half and not at all: σ(1/4, 1/2)."""
    losses = torch.tensor([[4.0, 3.0], [2.0, 3.0], [1.0, 1.0]])[:, None, :, None]
    assert weighed(Dwa(), losses)[2, 0].tolist() == pytest.approx([1 / (1 + math.exp(0.25)), 1 / (1 + math.exp(-0.25))])


def test_the_slowest_learned_is_loudest() -> None:
    epochs = torch.arange(6, dtype=torch.float64)
    losses = torch.stack([0.9**epochs, 0.5**epochs, 1.1**epochs], dim=1)[:, None, :, None]
    found = weighed(Dwa(), losses)[2:, 0]
    assert (found[:, 2] > found[:, 0]).all()
    assert (found[:, 0] > found[:, 1]).all()
    torch.testing.assert_close(found, found[:1].expand(4, -1))  # the rates are constant


def test_the_losses_of_an_epoch_under_way_do_not_count() -> None:
    losses = drawn(3, 3)
    other = losses.clone()
    other[2] = drawn(3, 1, seed=1)[0]
    assert weighed(Dwa(), losses)[2].equal(weighed(Dwa(), other)[2])


def test_permuted_teachers_have_permuted_weights() -> None:
    losses, order = drawn(5, 4), [3, 0, 4, 1, 2]
    torch.testing.assert_close(weighed(Dwa(), losses[:, :, order]), weighed(Dwa(), losses)[:, :, order])


def test_each_teachers_own_scale_does_not_matter() -> None:
    losses = drawn(3, 4)
    scales = torch.tensor([1e-8, 1.0, 1e8], dtype=torch.float64)[:, None]
    torch.testing.assert_close(weighed(Dwa(), scales * losses), weighed(Dwa(), losses))


@pytest.mark.parametrize("temperature", [1e-308, 2.0, 1e300])
@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_any_sequence_of_losses_gives_a_simplex(teachers: int, temperature: float) -> None:
    sizes = [0.0, 0.0, 1e8, 0.0, 1e-8, 1.0, 1e8, 1e8, 1e-8, 0.0, 0.0]
    losses = torch.tensor(sizes)[:, None, None, None] * drawn(teachers, len(sizes)).float()
    losses[3:, :, 0] = 0
    found = weighed(Dwa(temperature=temperature), losses)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(dim=2), torch.ones(len(sizes), STEPS))
    if teachers == 1:
        assert (found == 1).all()


@pytest.mark.parametrize("loss", [0.0, 1.0, 1e8])
def test_teachers_that_are_alike_are_equal(loss: float) -> None:
    assert (weighed(Dwa(), torch.full((5, STEPS, 4, BATCH), loss)) == 0.25).all()


@pytest.mark.parametrize(
    ("before", "last", "expected"),
    [
        (2.0, 1.0, 0.5),
        (2.0, 0.0, 0.0),
        (2.0, -1e-9, 0.0),
        (0.0, 0.0, 1.0),
        (-1e-9, 0.0, 1.0),
        (0.0, 1e-9, MOST),
        (1e-300, 1e300, MOST),
    ],
)
def test_ratio(before: float, last: float, expected: float) -> None:
    assert ratio(before, last) == expected


def test_a_run_that_diverged_raises_nothing() -> None:
    losses = drawn(2, 5)
    losses[1, 0, 0, 0], losses[2, 0, 1, 0] = math.nan, math.inf
    assert weighed(Dwa(), losses).shape == (5, STEPS, 2)


def test_an_epoch_that_ends_without_a_step_is_none() -> None:
    losses = drawn(3, 4)
    strategy = Dwa()
    strategy.end_epoch(None)
    first = weighed(strategy, losses[:2])
    strategy.end_epoch({"mean_recall": 0.5})
    assert torch.cat([first, weighed(strategy, losses[2:])]).equal(weighed(Dwa(), losses))


@pytest.mark.parametrize("at", range(11))
def test_a_state_saved_and_loaded_goes_on_to_the_last_bit(tmp_path: Path, at: int) -> None:
    """At every step of the first four epochs, at their ends and in the middle."""
    losses = drawn(3, 5)
    strategy, found = Dwa(), []
    for step in range(5 * STEPS):
        if step == at:
            save(tmp_path / "state", strategy.state_dict())
            state = load(tmp_path / "state")
            assert state
            strategy.weigh(seen(losses[0, 0]))  # what the first one does next is no matter of the second's
            strategy.end_epoch(None)
            strategy = Dwa()
            strategy.load_state_dict(state)
        found.append(strategy.weigh(seen(losses[divmod(step, STEPS)])))
        if step % STEPS == STEPS - 1:
            strategy.end_epoch(None)
    assert torch.stack(found).equal(weighed(Dwa(), losses).flatten(0, 1))


def test_a_training_tells_it_when_epochs_end(tmp_path: Path) -> None:
    epochs: dict[int, dict[str, float]] = {}
    place = replace(
        run_context(tmp_path, strategies=kdbench_strategies()),
        on_epoch=lambda _, epoch, metrics: epochs.update({epoch: metrics}),
    )
    record = execute(run_spec(strategy=plugged("dwa", temperature=0.1), train={"epochs": 4}), place)
    assert (record.status, record.reason) == ("ok", "")
    assert sorted(epochs) == [1, 2, 3, 4]
    shares = [epochs[epoch]["weight/a"] for epoch in sorted(epochs)]
    assert shares[:2] == [0.5, 0.5]
    assert all(abs(share - 0.5) > 1e-3 for share in shares[2:])


def test_a_suite_cannot_give_other_parameters() -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"temperature": 2.0}
    wrong: list[dict[str, Any]] = [{"temperature": 0.0}, {"temperature": -1.0}, {"temperature": math.inf}, {"T": 2.0}]
    for parameters in wrong:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            model(**parameters)
    assert (offer.name, offer.status) == ("dwa", "published")
