"""Teachers, student and training of a run, up to its best validation epoch. Code here does not read the test split."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdbench.contracts import Progress, Strategy, Student, Task
from kdbench.contracts.values import Owned
from kdbench.deploy.profile.memory import Watch
from kdbench.plugins.building import build_spec
from kdbench.runs.context import RunContext
from kdbench.suite.spec import PluginSpec, RunSpec
from kdbench.training.distributed import Rank
from kdbench.training.loop import Trained, train
from kdbench.training.team import Team, TeamTeacher


@dataclass(frozen=True)
class Learned:
    """A student at its best validation epoch, with the costs of its training."""

    student: Student
    trained: Trained
    encodings: dict[str, float]  # seconds, by cache key
    watch: Watch  # MB, peak memory since just before the student was built


def teach(task: Task, data: Owned, teacher: PluginSpec) -> TeamTeacher:
    """A teacher's outputs on the train split, computed or loaded from the cache."""
    return TeamTeacher(teacher.name, task.teach(data, build_spec("teacher", teacher)))


def learn(spec: RunSpec, context: RunContext, task: Task, data: Owned, id: str, rank: Rank = Rank()) -> Learned:  # noqa: B008
    """Prepares the teachers of a run and trains its student.

    `id` names the run in progress messages and the checkpoint, from which training resumes if it exists. With a `rank` of
    several, does that rank's part. The same seed gives the same initial weights and batches for every team and strategy: the
    student is built right after seeding, before heads and strategy.
    """
    assert spec.train is not None, "references are not trained"
    teachers = [teach(task, data, teacher) for teacher in spec.team]
    encodings = dict(data.encodings)
    watch = Watch.begin(context.device)

    torch.manual_seed(spec.seed)
    student: Student = build_spec("student", spec.student)
    train_split, validation = task.encode(data, student, "train"), task.encode(data, student, "validation")
    terms = [(term.coefficient, build_spec("objective", term)) for term in spec.objective]
    team = Team(teachers, terms, task.width(student), spec.seed, context.device) if teachers else None
    strategy: Strategy | None = build_spec("strategy", spec.strategy) if spec.strategy else None

    def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:
        context.on_progress(Progress(id, "train", step, steps, loss, weights))

    with rank.joined(context.device) as world:
        trained = train(
            task,
            student,
            train_split,
            validation,
            spec.train,
            spec.evaluate,
            spec.seed,
            context.device,
            team,
            strategy,
            checkpoint=context.cache.scratch(id) / "checkpoint.safetensors",
            on_step=on_step,
            on_epoch=lambda epoch, metrics: context.on_epoch(id, epoch, metrics),
            world=world,
        )
    return Learned(student, trained, encodings, watch)
