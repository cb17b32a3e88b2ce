"""Measures a student in a separate process, without memory or threads of earlier work."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from kdbench.plugins.same_path import python_with_same_path
from kdbench.records.profile import Profile
from kdbench.suite.spec import Frozen, PluginSpec

TAIL = 2000


class Request(Frozen):
    """What to measure, on which device and how; JSON on the process's stdin."""

    task: PluginSpec
    student: PluginSpec
    samples: dict[str, Any]  # of the dataset, from `Task.samples`
    gallery: int | None
    device: str
    batch_sizes: tuple[int, ...]
    threads: int
    seconds: float
    weights: Path | None = None  # of a trained student, finalized; without, what depends on them is left out


class Answer(Frozen):
    """The process's result on stdout: a profile, or the reason why the student cannot be measured."""

    profile: Profile | None = None
    reason: str = ""


class NotMeasured(Exception):
    """A student could not be measured, with the reason."""


def measured_apart(request: Request) -> Profile:
    """Runs `kdbench.deploy.profile` in a process of its own. Raises NotMeasured if the process dies or returns no profile."""
    threads = str(request.threads)
    done = subprocess.run(
        python_with_same_path("kdbench.deploy.profile"),
        input=request.model_dump_json(),
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        check=False,
    )
    if done.returncode:
        how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise NotMeasured(f"the measuring process died ({how})\n{done.stderr[-TAIL:]}".rstrip())
    try:
        return profile_in(Answer.model_validate(json.loads(done.stdout)))
    except ValueError as error:
        raise NotMeasured(f"the measuring process returned no profile: {error}") from error


def profile_in(answer: Answer) -> Profile:
    """The profile in an answer. Raises NotMeasured with the reason if it has none."""
    if answer.profile is None:
        raise NotMeasured(answer.reason)
    return answer.profile
