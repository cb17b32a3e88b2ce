"""Runs whose process is killed in each of their stages, at a step drawn by a seed: resumed, they end as one that was not."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdbench import Progress
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.suite.settings import StageSettings
from kdbench.suite.spec import RunSpec, StageSpec
from kdbench_plugins.teachers import online_adapter, trained
from tests.support.toys import plugged, run_context, run_spec, sage, term

EVERY = 3  # steps between checkpoints
LENGTHS = (4, 8, 8)  # steps of the stages
STAGES = (
    StageSpec(settings=StageSettings(epochs=1)),
    StageSpec(settings=StageSettings(epochs=2, lr_scale={"image_tower.*": 0.0}), objective=(term("feature"),)),
    StageSpec(settings=StageSettings(epochs=2, lr=0.01), strategy=plugged("random")),
)
BASE: dict[str, Any] = {"use": "trained", "student": {"use": "toy", "width": 6}, "epochs": 1, "batch_size": 8, "lr": 0.02}
MOVING = plugged("online_adapter", "a", teacher=BASE, rate=0.05)
SAME = ("arrays_sha256", "trace_sha256", "metrics", "validation", "best_epoch", "weights", "steps")


def context_of(folder: Path) -> RunContext:
    return run_context(folder, teachers=[*trained.kdbench_teachers(), *online_adapter.kdbench_teachers()])


def drawn(seed: int) -> list[int]:
    """A step of each stage, counted from 1 over all."""
    rng = random.Random(seed)
    return [sum(LENGTHS[:stage]) + rng.randint(1, length) for stage, length in enumerate(LENGTHS)]


def killed(spec: RunSpec, context: RunContext, at: int) -> None:
    """Executes the run in a process that kills itself right after step `at`, before its checkpoint."""

    def kill(told: Progress) -> None:
        if (told.stage, told.done) == ("train", at):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            execute(spec, replace(context, on_progress=kill))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize(("first", "seed"), [(sage("a"), 0), (MOVING, 1)], ids=["frozen", "moving"])
def test_a_run_killed_in_each_stage_ends_as_one_that_was_not(tmp_path: Path, first: Any, seed: int) -> None:
    spec = run_spec((first, sage("b")), seed=seed, stages=STAGES, train={"checkpoint_every": EVERY})
    context = context_of(tmp_path)
    whole = execute(spec, context)
    assert (whole.status, whole.reason, whole.steps) == ("ok", "", sum(LENGTHS))
    again = replace(context, results=tmp_path / "again")
    steps = drawn(seed)
    for step in steps:
        killed(spec, again, step)
    told: list[int] = []
    resumed = execute(spec, replace(again, on_progress=lambda one: told.append(one.done) if one.stage == "train" else None))
    assert {name: getattr(resumed, name) for name in SAME} == {name: getattr(whole, name) for name in SAME}
    assert min(told) == (steps[-1] - 1) // EVERY * EVERY + 1  # it did not begin anew
