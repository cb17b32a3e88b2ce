"""`relative_change` against loops over every pair of steps."""

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
from kdbench_plugins.strategies.relative_change import MOST, RelativeChange, change, kdbench_strategies

BATCH = 4


def seen(losses: Tensor, progress: float) -> Signal:
    """A signal with nothing in it but the losses and how far the training is."""
    names = tuple(f"teacher {place}" for place in range(len(losses)))
    return cast(Signal, SimpleNamespace(losses=losses, teachers=names, batch=SimpleNamespace(progress=progress)))


def drawn(teachers: int, steps: int, seed: int = 0) -> Tensor:
    """Losses of every step, [steps, T, B]."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + 3 * torch.rand(steps, teachers, BATCH, generator=generator, dtype=torch.float64)


def weighed(strategy: RelativeChange, steps: Tensor, first: int = 0, of: int = 0) -> Tensor:
    """The weights of steps of a training of `of` steps, all of them by default, from step `first` on."""
    total = of or len(steps)
    return torch.stack([strategy.weigh(seen(losses, (first + step) / total)) for step, losses in enumerate(steps)])


@pytest.mark.parametrize("start", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("window", [1, 3, 500])
def test_weights_equal_the_loops(window: int, start: float) -> None:
    losses = drawn(3, 20)
    found = weighed(RelativeChange(window=window, start=start), losses)
    means = [[sum(row) / BATCH for row in step] for step in losses.tolist()]
    begin = int(20 * start)
    for step in range(20):
        pairs = range(max(begin + 1, step - window + 1), step + 1)
        expected = [1 / 3] * 3
        if len(pairs) > 0:
            changes = [sum(abs(means[k - 1][t] - means[k][t]) / means[k][t] for k in pairs) / len(pairs) for t in range(3)]
            expected = [value / sum(changes) for value in changes]
        assert found[step].tolist() == pytest.approx(expected, rel=1e-9)


def test_weights_are_equal_until_the_start_and_not_after() -> None:
    found = weighed(RelativeChange(window=4, start=0.3), drawn(3, 20))
    assert (found[:7] == 1 / 3).all()  # step 6 of 20 is the first there; its change is the next step's
    assert ((found[7:] - 1 / 3).abs().max(dim=1).values > 1e-3).all()


def test_the_loss_that_moves_in_proportion_more_is_louder() -> None:
    """Geometric losses ρ^k change by 1/ρ − 1 a step, whatever their size."""
    steps = torch.arange(30, dtype=torch.float64)
    losses = torch.stack([100 * 0.9**steps, 0.01 * 0.5**steps], dim=1)[:, :, None]
    expected = torch.tensor([1 / 0.9 - 1, 1 / 0.5 - 1], dtype=torch.float64)
    found = weighed(RelativeChange(window=5, start=0.0), losses)
    torch.testing.assert_close(found[1:], (expected / expected.sum()).expand(29, -1))


def test_what_has_left_the_window_is_forgotten() -> None:
    losses = drawn(3, 12)
    other = losses.clone()
    other[:6] = drawn(3, 6, seed=1)
    one, two = (weighed(RelativeChange(window=4, start=0.0), given) for given in (losses, other))
    assert not torch.allclose(one[9], two[9])  # still sees the change from step 5 to step 6
    torch.testing.assert_close(one[10:], two[10:])


def test_permuted_teachers_have_permuted_weights() -> None:
    losses, order = drawn(5, 8), [3, 0, 4, 1, 2]
    one, two = (weighed(RelativeChange(window=3, start=0.0), given) for given in (losses[:, order], losses))
    torch.testing.assert_close(one, two[:, order])


@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_the_size_of_all_losses_does_not_matter(size: float) -> None:
    losses = drawn(3, 8)
    one, two = (weighed(RelativeChange(start=0.0), given) for given in (size * losses, losses))
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("loss", [0.0, 1.0, 1e8])
def test_losses_that_do_not_change_have_equal_weights(loss: float) -> None:
    assert (weighed(RelativeChange(start=0.0), torch.full((6, 4, BATCH), loss)) == 0.25).all()


@pytest.mark.parametrize("teachers", [1, 2, 5])
def test_any_sequence_of_losses_gives_a_simplex(teachers: int) -> None:
    sizes = [0.0, 0.0, 1e8, 0.0, 1e-8, 1.0, 1e8, 1e8, 0.0]
    losses = torch.stack([size * drawn(teachers, 1, seed)[0].float() for seed, size in enumerate(sizes)])
    losses[3:, 0] = 0
    found = weighed(RelativeChange(window=3, start=0.0), losses)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(sizes)))
    if teachers == 1:
        assert (found == 1).all()


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (1.0, 2.0, 0.5),
        (2.0, 1.0, 1.0),
        (0.0, 3.0, 1.0),
        (3.0, 3.0, 0.0),
        (0.0, 0.0, 0.0),
        (-1e-9, 0.0, 0.0),
        (-1e-9, 3.0, 1.0),
        (1.0, 0.0, MOST),
        (1.0, -1e-9, MOST),
        (1e8, 1e-300, MOST),
        (1e300, 5e-324, MOST),
    ],
)
def test_change(before: float, now: float, expected: float) -> None:
    assert change(before, now) == expected


def test_a_run_that_diverged_raises_nothing() -> None:
    for value in (math.nan, math.inf):
        losses = torch.tensor([[[1.0], [2.0]], [[1.0], [value]], [[2.0], [value]], [[1.0], [1.0]]])
        assert weighed(RelativeChange(start=0.0), losses).shape == (4, 2)


@pytest.mark.parametrize("at", [0, 3, 6, 10])
def test_a_state_saved_and_loaded_goes_on_to_the_last_bit(tmp_path: Path, at: int) -> None:
    def build() -> RelativeChange:
        return RelativeChange(window=3, start=0.25)

    losses = drawn(3, 16)
    strategy = build()
    before = weighed(strategy, losses[:at], of=16) if at else torch.empty(0, 3, dtype=torch.float64)
    save(tmp_path / "state", strategy.state_dict())
    state = load(tmp_path / "state")
    assert state
    weighed(strategy, losses[:2])  # what the first one does next is no matter of the second's
    fresh = build()
    fresh.load_state_dict(state)
    after = weighed(fresh, losses[at:], first=at, of=16)
    assert torch.cat([before, after]).equal(weighed(build(), losses))


def test_a_suite_cannot_give_other_parameters() -> None:
    (offer,) = kdbench_strategies()
    model = params_model(offer)
    assert model().model_dump() == {"window": 500, "start": 0.25}
    wrong: list[dict[str, Any]] = [{"window": 0}, {"window": 2.5}, {"start": 1.0}, {"start": -0.1}, {"steps": 3}]
    for parameters in wrong:
        with pytest.raises(ValueError, match=next(iter(parameters))):
            model(**parameters)
    assert (offer.name, offer.status) == ("relative_change", "published")
