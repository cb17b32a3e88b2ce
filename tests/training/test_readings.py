"""When numbers of steps are read, and how often a step makes the process wait for a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdbench import Strategy
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import installed
from kdbench.suite.settings import Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teachers import teach
from kdbench.training.learner import Learner
from kdbench.training.readings import Readings
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.route import Route
from tests.support.emoji_learner import emoji_learner
from tests.support.reads import Reads
from tests.support.toys import Sage, Toy, TwoTowers, cached, encoded, plugged

# Strategies by how many times they read a step's losses or gradients, which those do that decide in this process. Others go on
# with tensors of their own, which on a CPU cannot be told from a GPU's.
READS = {
    0: "confidence entropy equal equal_norm fixed loss_value stch teacher_dropping whiten_mtd",
    1: "ammkd dwa quality_retaining",
}
PARAMS: dict[str, dict[str, Any]] = {"fixed": {"weights": {"a": 1, "b": 2, "c": 1}}}


class Towers(TwoTowers):
    """Without `one_hot`, which reads on a CPU only."""

    def encode_text(self, texts: Tensor) -> Tensor:
        floats = (texts[:, :, None] == torch.arange(3)).float().flatten(1)
        return normalize(self.text_tower(floats), dim=1)


def reads_of(learner: Learner) -> list[str]:
    """What a step reads, after a first one."""
    learner.readings = Readings(1e9)
    learner.step(0)
    with Reads() as reads:
        learner.step(1)
    return reads.found


@pytest.mark.parametrize(
    ("strategy", "objective", "count"),
    [
        *((name, "relational_kl", count) for count, names in READS.items() for name in names.split()),
        *(("equal", name, 0) for name in ("feature", "interactive", "mac", "relational_within", "self_distill")),
    ],
)
def test_reads_of_a_step(strategy: str, objective: str, count: int, tmp_path: Path) -> None:
    data, student = cached(tmp_path), Toy(Towers(8), 8)
    members = [TeamTeacher(name, teach(data, Sage(width=8, seed=seed), Retrieval())) for seed, name in enumerate("abc")]
    with building_with(installed()):
        term = build_spec("objective", plugged(objective))
        weighs = build_spec("strategy", plugged(strategy, **PARAMS.get(strategy, {})))
    team = Team(members, [(1.0, term)], student.width, 0, "cpu")
    train = Train(epochs=3, batch_size=8, lr=0.02, precision="fp32", ema=0.9)
    learner = Learner(Retrieval(), student, encoded(tmp_path, student, "train"), [Stage(train, team, weighs)], 0, "cpu")
    assert len(found := reads_of(learner)) == count, found


@pytest.mark.parametrize(
    ("teachers", "strategy", "count"),
    [(0, None, 0), (1, None, 0), (3, Ammkd(), 1), (3, Route(routes={"*": "teacher1"}), 0)],
)
def test_reads_of_a_step_of_an_open_clip_student(teachers: int, strategy: Strategy | None, count: int) -> None:
    assert len(found := reads_of(emoji_learner(teachers, strategy))) == count, found


def test_reads_are_counted() -> None:
    values, mask = torch.arange(6.0), torch.arange(6) > 3
    with Reads() as reads:
        assert float(values[1]) + values[2].item() == 3
        assert bool(mask.any())
        values.cpu().numpy()
        values[mask].sum()
        mask.nonzero()
        torch.unique(values).tolist()
    assert reads.found == ["__float__", "item", "__bool__", "cpu", "index", "nonzero", "_unique2", "tolist"]


class Passed:
    """A clock that is set by hand, and what was read."""

    def __init__(self, seconds: float) -> None:
        self.now, self.read = 0.0, list[list[float]]()
        self.readings = Readings(seconds, lambda: self.now)

    def add(self, *values: float, dtype: torch.dtype = torch.float32) -> None:
        self.readings.add(torch.tensor(values, dtype=dtype), lambda numbers: self.read.append(list(numbers)))


def test_values_are_read_at_once_by_default() -> None:
    passed = Passed(0.0)
    passed.add(1, 2)
    assert passed.read == [[1, 2]]


def test_values_wait_for_the_time_and_keep_their_order_and_digits() -> None:
    passed = Passed(0.25)
    passed.add(0.1)
    passed.add(0.1, math.nan, dtype=torch.float64)
    passed.now = 0.24
    passed.add()
    assert passed.read == []
    passed.now = 0.25
    passed.add(3.0)
    first, second, *rest = passed.read
    assert first == [float(torch.tensor(0.1))]
    assert second[0] == 0.1
    assert math.isnan(second[1])
    assert rest == [[], [3.0]]
    passed.now = 0.49  # counted from the last reading
    passed.add(4.0)
    assert len(passed.read) == 4
    passed.readings.read()
    passed.readings.read()
    assert passed.read[4:] == [[4.0]]


def test_an_error_is_raised_once_and_what_was_added_later_is_dropped() -> None:
    passed = Passed(1.0)

    def fail(_: Sequence[float]) -> None:
        raise ValueError("first")

    passed.readings.add(torch.ones(1), fail)
    passed.add(2.0)
    with pytest.raises(ValueError, match="first"):
        passed.readings.read()
    passed.readings.read()
    assert passed.read == []


@pytest.mark.parametrize(
    ("device", "ranks", "at_once"),
    [("cpu", 1, True), ("mps", 1, True), ("cuda", 1, False), ("cuda:1", 1, False), ("cpu", 2, True), ("cuda:1", 2, True)],
)
def test_only_a_gpu_alone_is_read_later(device: str, ranks: int, at_once: bool) -> None:
    readings, read = Readings.of(device, ranks), list[float]()
    readings.add(torch.ones(1), read.extend)
    assert bool(read) == at_once
