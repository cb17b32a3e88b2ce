"""How a learner prepares a student's towers; what it does in a step is tested in test_loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.nn.functional import normalize

from kdbench import Signal
from kdbench.suite.settings import Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teachers import teach
from kdbench.training import learner
from kdbench.training.learner import Learner
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Sage as SageTeacher
from tests.support.toys import Toy, TwoTowers, cached, encoded, module_of, toy

STEPS = 6


class Looking(Equal):
    """Has the losses measured again after each step."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def weigh(self, signal: Signal) -> Tensor:
        self.seen.append(signal.losses)
        return super().weigh(signal)

    def observe_after(self, losses: Tensor) -> None:
        self.seen.append(losses)


class Convolving(TwoTowers):
    """Its image tower sees the picture through a convolution."""

    def __init__(self) -> None:
        super().__init__(8)
        self.convolution = nn.Conv2d(3, 4, 3, padding=1)
        self.image_tower = nn.Linear(4 * 36, 8)

    def encode_image(self, images: Tensor) -> Tensor:
        maps = self.convolution(images.permute(0, 3, 1, 2).float() / 255)
        return normalize(self.image_tower(maps.flatten(1)), dim=1)


def steps(folder: Path, build: Any, **settings: Any) -> tuple[list[float], nn.Module]:
    """The task losses of a few steps with two teachers, and the student's module."""
    torch.manual_seed(0)
    student = build()
    data = cached(folder)
    members = [TeamTeacher(name, teach(data, SageTeacher(seed=seed), Retrieval())) for seed, name in enumerate("ab")]
    team = Team(members, [(1.0, Feature())], student.width, 0, "cpu")
    train = Train(epochs=3, batch_size=8, lr=0.02, precision="fp32", **settings)
    one = Learner(Retrieval(), student, encoded(folder, student, "train"), [Stage(train, team, Ammkd())], 0, "cpu")
    return [float(one.step(step).task) for step in range(STEPS)], module_of(student)


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 3}, {"ema": 0.9}])
def test_compiled_towers_train_as_others_do(settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, whose draws do not change: what is compiled is traced, no other generator is used."""
    monkeypatch.setattr(learner, "BACKEND", "aot_eager")
    torch.compiler.reset()
    counters.clear()
    plain, _ = steps(tmp_path, lambda: toy(dropout=0.2), **settings)
    assert counters["stats"]["unique_graphs"] == 0
    compiled, module = steps(tmp_path, lambda: toy(dropout=0.2), compile=True, **settings)
    assert counters["stats"]["unique_graphs"] > 0
    assert compiled == pytest.approx(plain, rel=1e-5)
    assert set(module.state_dict()) == set(toy().module.state_dict())  # type: ignore[attr-defined]  # no prefix of torch.compile


def test_convolutions_in_the_layout_of_tensor_cores(tmp_path: Path) -> None:
    def build() -> Toy:
        return Toy(Convolving(), 8)

    plain, before = steps(tmp_path, build)
    laid_out, after = steps(tmp_path, build, channels_last=True)
    assert laid_out == pytest.approx(plain, rel=1e-5)
    for module, expected in ((before, False), (after, True)):
        weight = cast(Convolving, module).convolution.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == expected


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 3}])
def test_inputs_of_a_step_are_read_once(settings: dict[str, Any], tmp_path: Path) -> None:
    """Also where losses are measured again after the step: pictures of views are decoded when they are read."""
    torch.manual_seed(0)
    student = toy()
    members = [
        TeamTeacher(name, teach(cached(tmp_path), SageTeacher(seed=seed), Retrieval())) for seed, name in enumerate("ab")
    ]
    team = Team(members, [(1.0, Feature())], student.width, 0, "cpu")
    train = Train(epochs=3, batch_size=8, lr=0.02, precision="fp32", **settings)
    strategy = Looking()
    one = Learner(Retrieval(), student, encoded(tmp_path, student, "train"), [Stage(train, team, strategy)], 0, "cpu")
    read, inputs = [], one.feed.inputs

    def counted(step: int) -> Sequence[Tensor]:
        read.append(step)
        return inputs(step)

    cast(Any, one.feed).inputs = counted
    for step in range(STEPS):
        one.step(step)
    assert read == list(range(STEPS))
    before, after = strategy.seen[::2], strategy.seen[1::2]
    assert len(after) == STEPS
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
