"""bf16 is compared with fp32 before a student is trained in it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench.plugins.library_warnings import LibraryWarning
from kdbench.suite.settings import Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.training.learner import Learner
from kdbench.training.precision import PROBED, in_bf16, warn_of_rounding
from kdbench.training.stage import Stage
from tests.support.emoji_learner import emoji_learner
from tests.support.toys import Toy, TwoTowers, encoded, pixels_to_floats, toy


class Cancelling(nn.Module):
    """Subtracts a large value that it has just added, which leaves nothing of the input in eight bits of mantissa."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.drop = nn.Dropout(0.5)
        with torch.no_grad():
            self.up.weight.copy_(torch.eye(4))
            self.up.bias.fill_(offset)
            self.down.weight.copy_(torch.eye(4) - 0.25)

    def forward(self, given: Sequence[Tensor]) -> list[Tensor]:
        return [self.down(self.drop(self.up(given[0])))]


def told(module: Cancelling, rows: int = 8) -> list[str]:
    inputs = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_rounding(module, module, [inputs], "cpu")
    assert all(issubclass(one.category, LibraryWarning) for one in caught)
    return [str(one.message) for one in caught]


def test_a_student_that_bf16_changes_is_told() -> None:
    (message,) = told(Cancelling(1000.0))
    assert message.startswith("train.precision: the student's outputs in bf16 have a cosine of ")
    assert "precision: fp32" in message
    assert told(Cancelling(0.0)) == []


def test_outputs_that_are_not_finite_are_told() -> None:
    module = Cancelling(0.0)
    with torch.no_grad():
        module.down.weight.fill_(float("inf"))
    assert "a cosine of nan" in told(module)[0]


def test_the_probe_leaves_the_student_and_the_draws_alone() -> None:
    module = Cancelling(0.0).train()
    module.down.eval()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    told(module, 3 * PROBED)
    assert torch.equal(before, torch.get_rng_state())
    assert module.training
    assert module.drop.training
    assert not module.down.training
    assert all(parameter.grad is None for parameter in module.parameters())


def test_auto_is_fp32_on_a_cpu() -> None:
    assert [in_bf16(precision, "cpu") for precision in ("auto", "fp32", "bf16")] == [False, False, True]


class Rounding(TwoTowers):
    """Its images pass a large value, in which bf16 loses them."""

    def __init__(self) -> None:
        super().__init__(8)

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize((self.image_tower(pixels_to_floats(images)) + 1000.0) - 1000.0, dim=1)


@pytest.mark.parametrize(("build", "precision", "count"), [(Rounding, "bf16", 1), (Rounding, "fp32", 0), (None, "bf16", 0)])
def test_a_learner_probes_before_it_trains(build: Any, precision: Any, count: int, tmp_path: Path) -> None:
    data = encoded(tmp_path, toy(), "train")
    student = Toy(build(), 8) if build else toy()
    settings = Train(epochs=1, batch_size=8, precision=precision)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Learner(Retrieval(), student, data, [Stage(settings)], 0, "cpu")
    assert len([one for one in caught if "train.precision" in str(one.message)]) == count


def test_the_students_of_the_suites_keep_their_directions_in_bf16() -> None:
    learner = emoji_learner(0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_rounding(partial(Retrieval().forward, learner.student), learner.module, learner.feed.inputs(0), "cpu")
