"""Prints the seconds that the steps of some of a suite's runs take, and nothing else does. `python -m … SUITE NUMBER …`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from kdbench.plugins.building import building_with
from kdbench.plugins.loading import installed
from kdbench.runs.built import built_stages, built_student
from kdbench.runs.context import RunContext
from kdbench.runs.learn import teach
from kdbench.storage.cache import Cache, default_root
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.shipped import find_suite
from kdbench.suite.spec import RunSpec
from kdbench.training.learner import Learner
from kdbench.training.team import Team


def learner_of(spec: RunSpec, context: RunContext) -> Learner:
    """What trains a run's student, its data and teachers at hand."""
    assert spec.train is not None
    task = context.task(spec.task)
    data = context.open(task, spec.dataset, spec.run_id)
    data = task.viewed(data, spec.train.views) if spec.train.views else data
    teachers = [teach(task, data, teacher, context.plugins) for teacher in spec.team]
    torch.manual_seed(spec.seed)
    student = built_student(spec, task)
    split = task.encode(data, student, "train")
    stages = built_stages(
        spec, lambda terms: Team(teachers, terms, task.width(student), spec.seed, "cpu") if teachers else None
    )
    return Learner(task, student, split, stages, spec.seed, "cpu")


def seconds(spec: RunSpec, context: RunContext) -> float:
    with building_with(context.plugins):
        learner = learner_of(spec, context)
    started = time.perf_counter()
    for step in range(learner.steps):
        float(learner.step(step).loss)
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    plugins = installed()
    with TemporaryDirectory() as folder:
        context = RunContext(plugins, Cache(default_root()), Path(folder))
        runs = [run for run in plan(load_suite(find_suite(sys.argv[1]), plugins)) if not run.reference]
        print(sum(seconds(runs[int(place)], context) for place in sys.argv[2:]))


main()
