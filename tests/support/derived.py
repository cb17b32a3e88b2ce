"""Runs of students that wrap or derive others: whole and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import Offer, Progress
from kdbench.records.files import read_arrays, record_path
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.suite.spec import PluginSpec, RunSpec
from kdbench_plugins.exporters import onnx, open_clip
from kdbench_plugins.students import openclip
from kdbench_plugins.teachers import trained
from tests.support.export_runs import Trained
from tests.support.toys import plugged, run_context, run_spec


class Stopped(BaseException):
    """What a test stops a run with: no record is written."""


def context_of(folder: Path, students: Sequence[Offer[Any]]) -> RunContext:
    """With the students, the student `openclip`, the teacher `trained` and both exporters."""
    context = run_context(folder, students=[*openclip.kdbench_students(), *students], teachers=trained.kdbench_teachers())
    for module in (open_clip, onnx):
        context.plugins.register(module, f"kdbench:{module.__name__}")
    return context


def spec_of(student: PluginSpec, **changes: Any) -> RunSpec:
    """Twelve steps, with a checkpoint every third."""
    dataset = plugged("beads", train=16, validation=6, test=24)
    return run_spec(student=student, dataset=dataset, train={"lr": 0.004}, **changes)


def run_twice(folder: Path, spec: RunSpec, students: Sequence[Offer[Any]]) -> tuple[Trained, Trained]:
    """The run as it is, and the same run stopped after its seventh step and resumed."""

    def stop(told: Progress) -> None:
        if (told.stage, told.done) == ("train", 7):
            raise Stopped

    whole, parted = context_of(folder / "whole", students), context_of(folder / "parted", students)
    with pytest.raises(Stopped):
        execute(spec, replace(parted, on_progress=stop))
    return ran(whole, spec), ran(parted, spec)


def check_resumed(whole: Trained, parted: Trained) -> None:
    """Ranks, trace and weights of both are equal to the last bit."""
    for name in ("arrays_sha256", "trace_sha256", "metrics", "validation", "best_epoch"):
        assert getattr(whole.record, name) == getattr(parted.record, name), name
    one, other = (run.student.module.state_dict() for run in (whole, parted))
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)


def ran(context: RunContext, spec: RunSpec) -> Trained:
    """The run, which succeeds."""
    record = execute(spec, context)
    assert record.status == "ok", record.reason
    arrays = {
        name: np.asarray(found)
        for name, found in read_arrays(record_path(context.results, spec.suite, spec.run_id), context.plugins).items()
    }
    return Trained(context, record, arrays)
