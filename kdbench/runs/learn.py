"""Teachers, student and training of a run, up to its best validation epoch. Code here does not read the test split."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch

from kdbench.contracts import Progress, Student, Task
from kdbench.contracts.values import Owned
from kdbench.deploy.profile.memory import Watch
from kdbench.errors import Diverged, KdbenchError, PluginError
from kdbench.plugins.building import build_spec
from kdbench.plugins.loading import Plugins
from kdbench.records.examine_parts import using_plugin
from kdbench.runs.built import Terms, built_stages, built_student
from kdbench.runs.context import RunContext
from kdbench.runs.resume import checkpoint_of
from kdbench.suite.spec import PluginSpec, RunSpec
from kdbench.training.distributed import Rank
from kdbench.training.internals import FirstSamples
from kdbench.training.loop import Trained, train
from kdbench.training.team import Team, TeamTeacher


@dataclass(frozen=True)
class Learned:
    """A student at its best validation epoch, with the costs of its training."""

    student: Student
    trained: Trained
    encodings: dict[str, float]  # seconds, by cache key
    watch: Watch  # MB, peak memory since just before the student was built


def teach(task: Task, data: Owned, teacher: PluginSpec, plugins: Plugins) -> TeamTeacher:
    """A teacher's outputs on the train split, computed or loaded from the cache.

    Raises KdbenchError with its name for a fault of the teacher, also if its own training diverges: the run has not.
    """
    built = build_spec("teacher", teacher)
    task.check_plugin("teacher", built)
    with using_plugin("teacher", teacher, plugins):
        try:
            return TeamTeacher(teacher.name, task.teach(data, built))
        except PluginError as error:
            raise PluginError(f"teacher {teacher.name}: {error}") from error
        except Diverged as error:
            raise KdbenchError(f"teacher {teacher.name}: its own training diverged: {error}") from error


def learn(spec: RunSpec, context: RunContext, task: Task, data: Owned, id: str, rank: Rank = Rank()) -> Learned:  # noqa: B008
    """Prepares the teachers of a run and trains its student.

    `id` names the run in progress messages and the checkpoint, from which training resumes if it exists. With a `rank` of
    several, does that rank's part. The same seed gives the same initial weights and batches for every team and strategy: the
    student is built right after seeding, before heads and strategy.
    """
    assert spec.train is not None, "references are not trained"
    digest = data.digest
    data = task.viewed(data, spec.train.views) if spec.train.views else data
    teachers = [teach(task, data, teacher, context.plugins) for teacher in spec.team]
    encodings = dict(data.encodings)
    watch = Watch.begin(context.device)

    torch.manual_seed(spec.training_seed)
    student = built_student(spec, task)
    with using_plugin("student", spec.student, context.plugins):
        task.prepare(data, student)
        encodings |= data.encodings
        train_split, validation = task.encode(data, student, "train"), task.encode(data, student, "validation")

    first = FirstSamples(task, student, train_split, context.device)

    def team_of(terms: Terms) -> Team | None:
        return Team(teachers, terms, task.width(student), spec.training_seed, context.device, first) if teachers else None

    stages = built_stages(spec, team_of)

    def on_step(step: int, steps: int, loss: float, weights: dict[str, float]) -> None:
        context.on_progress(Progress(id, "train", step, steps, loss, weights))

    with rank.joined(context.device) as world, context.scratch(id) if world.first else nullcontext() as folder:
        trained = train(
            task,
            student,
            train_split,
            validation,
            stages,
            spec.evaluate,
            spec.training_seed,
            context.device,
            checkpoint=checkpoint_of(folder, id, digest, context.parts(spec)) if folder else None,
            on_step=on_step,
            on_epoch=lambda epoch, metrics: context.on_epoch(id, epoch, metrics),
            world=world,
        )
    return Learned(student, trained, encodings, watch)
