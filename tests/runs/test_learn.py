"""What a training is drawn from, and what it does not read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench import Dataset, Objective, Offer, Progress, Signal, SplitName, Student, hookimpl
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.building import building_with
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.learn import learn
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import Fold, RunSpec
from kdbench.tasks.retrieval.batches import Batches
from kdbench_plugins.objectives.feature import Feature
from tests.support.toys import bits, module_of, plugged, run_context, run_spec, term, toy


@dataclass
class Drawn:
    """What a training draws: the student's initial weights, the seeds of heads, the images of each batch."""

    weights: list[dict[str, bytes]] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)

    @property
    def student(self) -> Callable[[], Student]:
        def build() -> Student:
            student = toy()
            self.weights.append(bits(module_of(student).state_dict()))
            return student

        return build

    @property
    def objective(self) -> type[Feature]:
        drawn = self

        class Seeded(Feature):
            def head(self, student_width: int, teacher_width: int) -> nn.Module:
                drawn.heads.append(torch.initial_seed())
                return super().head(student_width, teacher_width)

        return Seeded

    @property
    def strategy(self) -> type:
        drawn = self

        class Reading:
            def weigh(self, signal: Signal) -> Tensor:
                drawn.batches.append(signal.batch.images.tolist())
                return torch.full((len(signal.teachers),), 1 / len(signal.teachers))

        return Reading


class Objectives:
    """Offers an objective."""

    def __init__(self, build: Callable[[], Objective]) -> None:
        self.build = build

    @hookimpl
    def kdbench_objectives(self) -> list[Offer[Objective]]:
        return [Offer("seeded", self.build)]


RUNS: dict[str, dict[str, Any]] = {
    "seed 0": {"seed": 0},
    "seed 1": {"seed": 1},
    "seed 1, fold 1": {"seed": 1, "fold": Fold(index=0, of=3)},
    "seed 1, fold 2": {"seed": 1, "fold": Fold(index=1, of=3)},
}


@pytest.mark.parametrize("run", RUNS)
def test_weights_heads_and_batches_are_drawn_from_the_training_seed_alone(run: str, tmp_path: Path) -> None:
    drawn = Drawn()
    where = run_context(tmp_path, students=[Offer("own", drawn.student)], strategies=[Offer("reading", drawn.strategy)])
    where.plugins.register(Objectives(drawn.objective), "tests:objectives")
    changes: dict[str, Any] = {"student": plugged("own"), "objective": (term("seeded"),), "train": {"epochs": 1}, **RUNS[run]}
    spec = run_spec(("a", "b"), plugged("reading"), **changes)
    task = where.task(spec.task)
    data = where.open(task, spec.dataset, "", spec.fold)
    torch.manual_seed(4321)  # what was drawn before does not matter
    with building_with(where.plugins):
        learn(spec, where, task, data, spec.run_id)

    seed = spec.training_seed
    torch.manual_seed(seed)
    assert drawn.weights == [bits(module_of(toy()).state_dict())]
    assert drawn.heads == [int(digest_of([seed, "heads", name])[:8], 16) for name in ("a", "b")]
    train = data.split("train")
    batches = Batches(train.image_concepts, train.caption_concepts, 8, seed)
    assert drawn.batches == [batches(step)[0].tolist() for step in range(batches.per_epoch)]


def test_runs_of_another_seed_or_fold_draw_anew() -> None:
    seeds = [run_spec(("a", "b"), **changes).training_seed for changes in RUNS.values()]
    assert len(set(seeds)) == len(seeds)


class Watched(CachedDataset):
    """A dataset that tells which of its splits are opened."""

    opened: list[str]

    def split(self, name: SplitName) -> Any:
        self.opened.append(name)
        return super().split(name)

    def encode(self, encoder: Any, name: SplitName, *others: Any, **more: Any) -> Any:
        self.opened.append(name)
        return super().encode(encoder, name, *others, **more)


class Watching(RunContext):
    """Opens datasets that are watched."""

    def open(self, task: Any, dataset: Any, run_id: str, fold: Fold | None = None) -> Any:  # noqa: ARG002
        source: Dataset = super().open(task, dataset, run_id).source
        found = Watched(source, self.cache, self.device)
        found.opened = OPENED
        return found


OPENED: list[str] = []
SPECS = {
    "no teacher": run_spec(()),
    "teachers": run_spec(("a", "b")),
    "views": run_spec(("a", "b"), train={"views": {"count": 2}}),
}


@pytest.mark.parametrize("name", SPECS)
def test_the_test_split_is_opened_once_all_is_trained(name: str, tmp_path: Path) -> None:
    """Not even its concepts are looked at before: nothing of it can select anything."""

    def on_progress(progress: Progress) -> None:
        if progress.stage == "train":
            OPENED.append("step")

    OPENED.clear()
    spec: RunSpec = SPECS[name]
    plain = run_context(tmp_path)
    where = replace(Watching(plain.plugins, plain.cache, plain.results), on_progress=on_progress)
    assert execute(spec, where).status == "ok"
    last = len(OPENED) - OPENED[::-1].index("step")
    assert OPENED.count("step") == 12
    assert set(OPENED[:last]) == {"train", "validation", "step"}
    assert set(OPENED[last:]) == {"test"}
