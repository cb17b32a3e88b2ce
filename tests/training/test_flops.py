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
from kdbench.tasks.retrieval.embeddings import to_device
from kdbench.training.loop import _Loop
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import emoji_loop

TEACHERS = 4
FIRST_PARTY = {
    name: found.offer for name, found in installed().offers("strategy").items() if found.provider.startswith("kdbench:")
}
EPOCHS = ([0], [1000, 1001])  # at the beginning of the training, and half-way, when everyone has begun to act
DEARER = {"mtkd_rl": 1.06}  # trains networks of its own on all embeddings and probabilities of the batch


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


class NoModules:
    """In place of FlopCounterMode's own tracker, whose hooks fail where autograd.grad ends at the inputs of a module."""

    parents = ("Global",)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def flops(loop: _Loop, strategy: Strategy, steps: Sequence[int], compare: bool = False) -> float:
    """Of the mean step of an epoch, what goes on at the epoch's end included."""
    loop.strategy = strategy
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = NoModules()  # type: ignore[assignment]
    with counter:
        for step in steps:
            loop.step(step, compare)
        loop.end_epoch(None)
    return counter.get_total_flops() / len(steps)


@pytest.fixture(scope="module")
def loop() -> _Loop:
    torch.set_num_threads(1)
    return emoji_loop(TEACHERS, Equal())


@pytest.fixture(scope="module")
def base(loop: _Loop) -> float:
    return flops(loop, Equal(), [0])


@pytest.fixture(scope="module")
def table(base: float) -> Iterator[dict[str, str]]:
    """Printed at the end; shown with `pytest -s`."""
    found: dict[str, str] = {}
    yield found
    print(f"\n\nFLOPs of a step with {TEACHERS} teachers, relative to `equal` ({base / 1e9:.2f} GFLOP):")
    for name, cost in found.items():
        print(f"  {name:32} {cost}")


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_a_strategy_adds_at_most_a_hundredth_to_a_step(name: str, loop: _Loop, base: float, table: dict[str, str]) -> None:
    """The dearer of two epochs, for those that remember; one step for the others, whose steps are alike."""
    watched = Watched(construct(FIRST_PARTY[name], dict(FIRST_PARTY[name].example)))
    epochs = EPOCHS if hasattr(watched, "state_dict") else EPOCHS[:1]
    ratio = max(flops(loop, watched, steps) for steps in epochs) / base
    reads = "leaf_gradients" in watched.read
    table[name] = f"{ratio:.5f}{'  reads gradients' if reads else ''}"
    assert "parameter_gramian" not in watched.read
    assert ratio >= 1
    assert ratio <= (1.01 if reads else DEARER.get(name, 1.01))


def test_comparing_the_teachers_costs_those_who_read_gradients_nothing(loop: _Loop, base: float, table: dict[str, str]) -> None:
    """And the others their teachers' backwards once more, at the 50 steps of a run where a window ends."""
    assert flops(loop, Ammkd(), [0], compare=True) == flops(loop, Ammkd(), [0])
    ratio = flops(loop, Equal(), [0], compare=True) / base
    table["equal, at the end of a window"] = f"{ratio:.5f}"
    assert 1 < ratio <= 1.02


def test_gradients_at_parameters_cost_a_backward_each(loop: _Loop, base: float, table: dict[str, str]) -> None:
    """What the above would cost if it went through the student; and the counter sees it."""
    ratio = flops(loop, Ammkd(space="parameters"), [0]) / base
    table["ammkd, space: parameters"] = f"{ratio:.5f}"
    forward = flops_of_forward(loop)
    assert ratio == pytest.approx(1 + TEACHERS * 2 * forward / base, rel=0.05)


def flops_of_forward(loop: _Loop) -> float:
    """Of the student alone on one batch: a backward costs about twice that."""
    counter = FlopCounterMode(display=False)
    module: StudentModule = loop.student.module
    images, texts = (to_device(values[:256], "cpu") for values in (loop.data.images, loop.data.texts))
    with torch.no_grad(), counter:
        module.encode_image(images)
        module.encode_text(texts)
    return float(counter.get_total_flops())
