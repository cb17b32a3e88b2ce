"""Tries a run's student, objective and strategy for two steps on a few samples, before its teachers are computed."""

from __future__ import annotations

import torch

from kdbench.plugins.building import build_spec, building_with
from kdbench.runs.built import built_strategy, built_student, built_terms
from kdbench.runs.context import RunContext
from kdbench.suite.spec import RunSpec
from kdbench.training.borders import measured
from kdbench.training.evaluation import evaluated
from kdbench.training.learner import Learner
from kdbench.training.team import Team, TeamTeacher

STEPS = 2


def rehearse(spec: RunSpec, context: RunContext) -> None:
    """Raises the error that a plugin of the run would raise in its first steps. Reads a few samples, writes nothing.

    Teachers are made up by the task (`Task.sample`); with a task that makes none, only checks what is built. Runs on the CPU.
    """
    assert spec.train is not None, "references are not trained"
    with building_with(context.plugins), torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        task = context.task(spec.task)
        student, terms, strategy = built_student(spec, task), built_terms(spec), built_strategy(spec)
        made = task.sample(build_spec("dataset", spec.dataset), student, len(spec.team))
        if made is None:
            return
        encoded, stored = made
        teachers = [TeamTeacher(teacher.name, outputs) for teacher, outputs in zip(spec.team, stored, strict=True)]
        team = Team(teachers, terms, task.width(student), spec.seed, "cpu") if teachers else None
        settings = spec.train.model_copy(update={"epochs": STEPS, "precision": "fp32", "devices": 1})
        learner = Learner(task, student, encoded, settings, spec.seed, "cpu", team, strategy)
        for step in range(STEPS):
            learner.step(step)
        learner.report()
        learner.end_epoch(measured(task, evaluated(task, student, encoded, settings.batch_size, "cpu")))
        learner.state_dict()
