"""Tries a run's student, objective and strategy for two steps on a few samples, before its teachers are computed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch

from kdbench.contracts import TeacherOutputs
from kdbench.errors import KdbenchError, KdbenchWarning, PluginError
from kdbench.plugins.building import build_spec, building_with
from kdbench.runs.built import Terms, built_stages, built_student
from kdbench.runs.context import RunContext
from kdbench.suite.settings import Train
from kdbench.suite.smoke import piece_of
from kdbench.suite.spec import RunSpec
from kdbench.training.borders import measured
from kdbench.training.evaluation import evaluated
from kdbench.training.internals import FirstSamples
from kdbench.training.learner import Learner
from kdbench.training.team import Team, TeamTeacher

STEPS = 2
SAMPLES = 8  # of a step, at most


def rehearse(spec: RunSpec, context: RunContext) -> None:
    """Raises the error that a plugin of the run would raise in its first steps. Reads a few samples, writes nothing.

    Teachers are built and their outputs made up by the task (`Task.sample`); with a task that makes none, only checks what is
    built. Runs on the CPU. Warnings are left to the run, which gives the same.
    """
    assert spec.train is not None, "references are not trained"
    with building_with(context.plugins), torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", KdbenchWarning)
        torch.manual_seed(spec.training_seed)
        task = context.task(spec.task)
        student = built_student(spec, task)
        dataset, members = build_spec("dataset", spec.dataset), [build_spec("teacher", teacher) for teacher in spec.team]
        made = task.sample(dataset, student, members)
        encoded, stored = made or (None, ())
        first = FirstSamples(task, student, encoded, "cpu")
        stages = built_stages(spec, lambda terms: _team(spec, terms, stored, task.width(student), first) if stored else None)
        if made is None:
            return
        stages = [replace(stage, settings=_brief(stage.settings)) for stage in stages]
        for number, stage in enumerate(stages):
            learner = Learner(task, student, encoded, stages, spec.training_seed, "cpu", number=number)
            for step in range(STEPS):
                learner.step(learner.first + step)
            learner.report()
            learner.end_epoch(measured(task, evaluated(task, student, encoded, stage.settings.batch_size, "cpu")))
            learner.state_dict()
            learner.leave()


def _team(spec: RunSpec, terms: Terms, stored: Sequence[TeacherOutputs], width: int, first: FirstSamples) -> Team:
    """A team of made-up teachers, some of them wider than the student.

    An objective may refuse other widths than the student's, such as with `head: none`. Those of the real teachers are not
    known, so this refusal says nothing: all teachers are then like the first.
    """

    def of(outputs: Sequence[TeacherOutputs]) -> Team:
        teachers = [TeamTeacher(teacher.name, each) for teacher, each in zip(spec.team, outputs, strict=True)]
        return Team(teachers, terms, width, spec.training_seed, "cpu", first)

    try:
        return of(stored)
    except PluginError:
        raise
    except KdbenchError:
        return of([stored[0]] * len(stored))


def _brief(train: Train) -> Train:
    """Few steps of few samples, of which no piece is smaller than the run's. What is compiled depends on the device."""
    batch = min(SAMPLES, train.batch_size)
    small = {"epochs": STEPS, "batch_size": batch, "micro_batch": piece_of(train, batch)}
    return train.model_copy(update=small | {"precision": "fp32", "devices": 1, "compile": False})
