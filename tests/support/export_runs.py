"""Trained runs, each made once and shared by every test of the exports."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.data.dataset import CachedDataset
from kdbench.deploy.export.load import trained_student
from kdbench.records.files import read_arrays, record_path
from kdbench.records.record import Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.suite.spec import PluginSpec
from kdbench.tasks.retrieval.embeddings import EncodedSplit, encode_split
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.exporters import onnx, open_clip
from kdbench_plugins.students import fusion, openclip
from tests.support import state_dict_exporter
from tests.support.toys import plugged, run_context, run_spec

HELD = tempfile.TemporaryDirectory()  # gone when the process ends
CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": [32, 40]},
    "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class Trained:
    """A run that has finished, and what it was executed with."""

    context: RunContext
    record: Record
    arrays: dict[str, NDArray[Any]]

    @property
    def student(self) -> Any:
        return trained_student(self.record, self.context.plugins, self.context.cache)

    @property
    def task(self) -> Task:
        return self.context.task(self.record.spec.task)

    @property
    def dataset(self) -> CachedDataset:
        data: CachedDataset = self.context.open(self.task, self.record.spec.dataset, self.record.run_id)
        return data

    @property
    def split(self) -> EncodedSplit:
        return encode_split(self.dataset, self.student, "test")

    @property
    def ranks(self) -> Ranks:
        return Ranks(**self.arrays)


def _run(student: PluginSpec, epochs: int = 2) -> Trained:
    context = run_context(Path(HELD.name) / student.name, students=[*openclip.kdbench_students(), *fusion.kdbench_students()])
    for module in (open_clip, onnx, state_dict_exporter):
        context.plugins.register(module, f"kdbench:{module.__name__}")
    train = {"epochs": epochs, "lr": 0.004}
    spec = run_spec(student=student, dataset=plugged("beads", train=48, test=24), train=train)
    record = execute(spec, context)
    assert record.status == "ok", record.reason
    arrays = read_arrays(record_path(context.results, spec.suite, spec.run_id), context.plugins)
    return Trained(context, record, arrays)


@cache
def small() -> Trained:
    """The student `openclip`, its ranks far from those of chance. Its images are not square: how they are resized shows."""
    return _run(plugged("openclip", "small", model=None, config=CONFIG, pretrained=None), epochs=15)


@cache
def fused() -> Trained:
    """A student with a part that serves the training alone."""
    params = {"student": {"use": "openclip", "config": CONFIG}, "width": 8, "heads": 2, "weight": 1.0}
    return _run(plugged("fusion", "fused", **params))


@cache
def linear() -> Trained:
    """A student that is not an open_clip model."""
    return _run(plugged("toy", "linear"))
