"""The teacher `online_adapter`: a run of the toys with a teacher that learns beside the student."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Batch, KdbenchError, NoTower, Towers, build
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.building import building_with
from kdbench.storage.checkpoint import Checkpoint
from kdbench.storage.module_digest import module_digest
from kdbench.suite.settings import Evaluate, Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import teach
from kdbench.training.loop import train
from kdbench.training.stage import Stage
from kdbench.training.team import Team, TeamTeacher
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.teachers import online_adapter, trained
from kdbench_plugins.teachers.online_adapter import Adapter, OnlineAdapter
from kdbench_plugins.teachers.tower import Tower
from tests.support.toys import batch_of, bits, cached, module_of, toy, toy_plugins

BASE: dict[str, Any] = {"use": "trained", "student": {"use": "toy", "width": 6}, "epochs": 2, "batch_size": 8, "lr": 0.02}
SETTINGS = Train(epochs=2, batch_size=8, lr=0.02, precision="fp32", checkpoint_every=3)
STEPS = 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CachedDataset:
    return cached(tmp_path_factory.mktemp("beads"))


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(teachers=[*trained.kdbench_teachers(), *online_adapter.kdbench_teachers()])):
        yield


class Stopped(Exception):
    pass


class Run:
    """A student and its team: two sub-teachers, the first as given; trained to its end, a step or the process's death."""

    def __init__(
        self,
        dataset: CachedDataset,
        first: Any,
        checkpoint: Checkpoint | None = None,
        stop: int = 0,
        kill: int = 0,
        settings: tuple[Train, ...] = (SETTINGS,),
    ) -> None:
        torch.manual_seed(0)
        student = toy()
        data, task = dataset, Retrieval()
        members = [TeamTeacher("a", teach(data, first, task)), TeamTeacher("b", teach(data, build("teacher", BASE), task))]
        self.team = Team(members, [(1.0, RelationalKL()), (1.0, Feature())], 8, 0, "cpu")

        self.steps: list[int] = []

        def on_step(step: int, *_: object) -> None:
            self.steps.append(step)
            if step == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            if step == stop:
                raise Stopped

        train_split, validation = encode_split(data, student, "train"), encode_split(data, student, "validation")
        more: dict[str, Any] = {"checkpoint": checkpoint, "on_step": on_step}
        stages = [Stage(one, self.team, Equal()) for one in settings]
        with suppress(Stopped):
            train(task, student, train_split, validation, stages, Evaluate(), 0, "cpu", **more)
        self.weights = bits(module_of(student).state_dict())

    @property
    def learned(self) -> dict[str, bytes]:
        state = self.team.state_dict()
        return bits(state["a"]["factors"][0]) if state else {}


def adapter(**params: Any) -> OnlineAdapter:
    return OnlineAdapter(teacher=BASE, **params)


def outputs(dataset: CachedDataset, teacher: Any) -> tuple[Tensor, Tensor]:
    """A teacher's embeddings of a batch as a run sees them before the first step."""
    found = teach(dataset, teacher, Retrieval())
    Team([TeamTeacher("a", found)], [(1.0, RelationalKL())], 8, 0, "cpu")
    pairs = found.outputs(batch_of(torch.arange(8)), "cpu")
    return pairs.image, pairs.text


def test_at_first_it_is_its_base(dataset: CachedDataset) -> None:
    for own, base in zip(outputs(dataset, adapter()), outputs(dataset, build("teacher", BASE)), strict=True):
        assert torch.equal(own, base)


def test_at_a_rate_of_zero_the_run_is_that_of_its_base(dataset: CachedDataset) -> None:
    offline, still = Run(dataset, build("teacher", BASE)), Run(dataset, adapter(rate=0.0))
    assert still.weights == offline.weights
    assert Run(dataset, adapter(rate=0.05)).weights != offline.weights


def test_it_moves_and_its_base_stays(dataset: CachedDataset) -> None:
    base = build("teacher", BASE).towers(DatasetTeacherData(Retrieval(), dataset)).image
    run = Run(dataset, adapter(rate=0.05))
    live: Any = run.team.teachers[0].stored
    assert module_digest(live.part.image.module) == module_digest(base.module)
    assert all(not parameter.requires_grad for parameter in live.part.image.module.parameters())
    batch = batch_of(torch.arange(8))
    moved, before = live.outputs(batch, "cpu"), live.stored.outputs(batch, "cpu")
    assert (moved.image - before.image).abs().max() > 1e-3
    torch.testing.assert_close(moved.image.norm(dim=1), torch.ones(8))
    assert not moved.image.requires_grad
    assert moved.bank is None, "a bank of stored embeddings would be another teacher's"


def test_its_factors_learn_the_task(dataset: CachedDataset) -> None:
    """With its own labels alone (γ = 0), its loss on train pairs falls below its base's."""
    run = Run(dataset, adapter(rate=0.05, gamma=0.0))
    live: Any = run.team.teachers[0].stored
    batch = Batch(torch.arange(0, 32, 2), torch.arange(0, 48, 3), torch.arange(16), 1.0)
    task = Retrieval()
    own, base = (task.losses(one.outputs(batch, "cpu"), batch).mean() for one in (live, live.stored))
    assert own < 0.9 * base


@pytest.mark.parametrize("stop", [2, 4, 5, 7])
def test_a_resumed_run_is_the_same_to_the_last_bit(dataset: CachedDataset, stop: int, tmp_path: Path) -> None:
    whole = Run(dataset, adapter(rate=0.05))
    Run(dataset, adapter(rate=0.05), Checkpoint(tmp_path / "checkpoint"), stop)
    again = Run(dataset, adapter(rate=0.05), Checkpoint(tmp_path / "checkpoint"))
    assert (again.weights, again.learned) == (whole.weights, whole.learned)
    assert any(value != bytes(len(value)) for name, value in again.learned.items() if name.startswith("up"))


def test_a_process_killed_in_each_stage(dataset: CachedDataset, tmp_path: Path) -> None:
    """The second freezes the student, not its teacher. Killed at a stage's last and first step, too."""
    settings = (SETTINGS, SETTINGS.model_copy(update={"epochs": 1, "lr_scale": {"*": 0.0}}), SETTINGS)
    whole = Run(dataset, adapter(rate=0.05), settings=settings)
    for step in (3, STEPS, STEPS + 1, STEPS + 3, STEPS + 9):
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                Run(dataset, adapter(rate=0.05), Checkpoint(tmp_path / "checkpoint"), kill=step, settings=settings)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    torn = Run(dataset, adapter(rate=0.05), Checkpoint(tmp_path / "checkpoint"), settings=settings)
    assert (torn.weights, torn.learned) == (whole.weights, whole.learned)
    assert len(torn.steps) < STEPS + 4  # what was left, not all
    assert whole.learned != Run(dataset, adapter(rate=0.05)).learned


def test_a_parameter_that_changes_what_it_learns_changes_its_key(dataset: CachedDataset) -> None:
    def key(**params: Any) -> str:
        live = adapter(**params).towers(DatasetTeacherData(Retrieval(), dataset)).live
        assert isinstance(live, Adapter)
        return live.key

    keys = [key(), key(rank=2), key(scale=2.0), key(rate=0.1), key(gamma=0.5)]
    assert len(set(keys)) == len(keys)


def test_it_needs_trained_towers(dataset: CachedDataset) -> None:
    with pytest.raises(KdbenchError, match="found the teacher sage, whose image tower is no trained module"):
        OnlineAdapter(teacher={"use": "sage"}).towers(DatasetTeacherData(Retrieval(), dataset))


def test_the_teacher_itself_is_its_base(dataset: CachedDataset) -> None:
    data = DatasetTeacherData(Retrieval(), dataset)
    own: Towers = adapter().towers(data)
    base: Towers = build("teacher", BASE).towers(data)
    assert isinstance(own.image, Tower)
    assert not isinstance(own.text, NoTower)
    assert (own.image.key, own.text.key, own.logit_scale) == (base.image.key, base.text.key, base.logit_scale)
