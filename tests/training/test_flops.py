"""What strategies cost a step: floating-point operations of matrix products and convolutions, beside those under `equal`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kdbench import Signal, Strategy, StudentModule
from kdbench.plugins.loading import installed
from kdbench.plugins.parameters import construct
from kdbench.training.learner import Learner
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.support.emoji_learner import emoji_learner
from tests.support.toys import NoModules

TEACHERS = 4
FIRST_PARTY = {
    name: found.offer for name, found in installed().offers("strategy").items() if found.provider.startswith("kdbench:")
}
EPOCHS = ([0], [1000, 1001])  # at the beginning of the training, and half-way, when everyone has begun to act
DEARER = {
    "mtkd_rl": 1.06,  # trains networks of its own on all embeddings and probabilities of the batch
    "famo": 1.35,  # asks for the losses after the step: another forward pass
    "meta": 1.03,  # reads gradients and weighs samples, so that the step cannot use them again
}
FUSING = ["whiten_mtd"]  # need objectives that fuse logits


class Watched:
    """A strategy, and what it looked at."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(self.strategy, name)  # its optional methods

    def weigh(self, signal: Signal) -> Tensor:
        weights = self.strategy.weigh(signal)
        self.read |= vars(signal).keys()
        return weights


def flops(learner: Learner, strategy: Strategy, steps: Sequence[int], compare: bool = False) -> float:
    """Of the mean step of an epoch, what goes on at the epoch's end included."""
    learner.strategy = strategy
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = NoModules()  # type: ignore[assignment]
    with counter:
        for step in steps:
            learner.step(step, compare)
        learner.end_epoch(None)
    return counter.get_total_flops() / len(steps)


@pytest.fixture(scope="module")
def learner() -> Learner:
    return emoji_learner(TEACHERS, Equal())


@pytest.fixture(scope="module")
def base(learner: Learner) -> float:
    return flops(learner, Equal(), [0])


@pytest.fixture(scope="module")
def table(base: float) -> Iterator[dict[str, str]]:
    """Printed at the end; shown with `pytest -s`."""
    found: dict[str, str] = {}
    yield found
    print(f"\n\nFLOPs of a step with {TEACHERS} teachers, relative to `equal` ({base / 1e9:.2f} GFLOP):")
    for name, cost in found.items():
        print(f"  {name:32} {cost}")


@pytest.mark.parametrize("name", [name for name in FIRST_PARTY if name not in FUSING])
def test_a_strategy_adds_at_most_a_hundredth_to_a_step(name: str, learner: Learner, base: float, table: dict[str, str]) -> None:
    """The dearer of two epochs, for those that remember; one step for the others, whose steps are alike."""
    watched = Watched(construct(FIRST_PARTY[name], dict(FIRST_PARTY[name].example)))
    epochs = EPOCHS if hasattr(watched, "state_dict") else EPOCHS[:1]
    ratio = max(flops(learner, watched, steps) for steps in epochs) / base
    reads = "leaf_gradients" in watched.read
    table[name] = f"{ratio:.5f}{'  reads gradients' if reads else ''}"
    assert "parameter_gramian" not in watched.read
    assert ratio >= 1
    assert ratio <= DEARER.get(name, 1.01)


@pytest.mark.parametrize("name", FUSING)
def test_a_strategy_that_fuses_logits_adds_at_most_a_hundredth_to_a_step(name: str) -> None:
    learner = emoji_learner(TEACHERS, Equal(), features=False)
    base = flops(learner, Equal(), [0])
    assert 1 <= flops(learner, construct(FIRST_PARTY[name], {}), [0]) / base <= 1.01


def test_comparing_the_teachers_costs_those_who_read_gradients_nothing(
    learner: Learner, base: float, table: dict[str, str]
) -> None:
    """And the others their teachers' backwards once more, at the 50 steps of a run where a window ends."""
    assert flops(learner, Ammkd(), [0], compare=True) == flops(learner, Ammkd(), [0])
    ratio = flops(learner, Equal(), [0], compare=True) / base
    table["equal, at the end of a window"] = f"{ratio:.5f}"
    assert 1 < ratio <= 1.02


def test_gradients_at_parameters_cost_a_backward_each(learner: Learner, base: float, table: dict[str, str]) -> None:
    """What the above would cost if it went through the student; and the counter sees it."""
    ratio = flops(learner, Ammkd(space="parameters"), [0]) / base
    table["ammkd, space: parameters"] = f"{ratio:.5f}"
    forward = flops_of_forward(learner)
    assert ratio == pytest.approx(1 + TEACHERS * 2 * forward / base, rel=0.05)


def flops_of_forward(learner: Learner) -> float:
    """Of the student alone on one batch: a backward costs about twice that."""
    counter = FlopCounterMode(display=False)
    module: StudentModule = learner.student.module
    images, texts = learner.feed.inputs(0)
    with torch.no_grad(), counter:
        module.encode_image(images)
        module.encode_text(texts)
    return float(counter.get_total_flops())
