"""Trained runs, each made once and shared by every test of the exports."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kdbench import Student
from kdbench.data.dataset import CachedDataset
from kdbench.deploy.export.load import trained_student
from kdbench.records.record import Record, read_ranks, record_path
from kdbench.runs.execute import Bench, execute
from kdbench.tasks.retrieval.embeddings import EncodedSplit, encode_split
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.students import fusion, openclip
from tests.support.toys import bench, plugged, run_spec

HELD = tempfile.TemporaryDirectory()  # gone when the process ends
CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": [32, 40]},
    "text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@dataclass(frozen=True)
class Trained:
    """A run that is done, and where."""

    bench: Bench
    record: Record
    ranks: Ranks

    @property
    def student(self) -> Student:
        return trained_student(self.record, self.bench.plugins, self.bench.cache)

    @property
    def dataset(self) -> CachedDataset:
        return self.bench.open(self.record.spec["dataset"], self.record.run_id)

    @property
    def split(self) -> EncodedSplit:
        return encode_split(self.dataset, self.student, "test")


def _run(student: dict[str, Any], epochs: int = 2) -> Trained:
    own = bench(Path(HELD.name) / student["name"], students=[*openclip.kdbench_students(), *fusion.kdbench_students()])
    train = {"epochs": epochs, "lr": 0.004}
    spec = run_spec(student=student, dataset=plugged("beads", train=48, test=24), train=train)
    record = execute(spec, own)
    assert record.status == "ok", record.reason
    return Trained(own, record, read_ranks(record_path(own.results, spec.suite, spec.run_id)))


@cache
def small() -> Trained:
    """The student `openclip`, its ranks far from those of chance. Its pictures are not square: how they are resized tells."""
    return _run(plugged("openclip", "small", model=None, config=CONFIG, pretrained=None), epochs=15)


@cache
def fused() -> Trained:
    """A student with a part that serves the training alone."""
    params = {"student": {"use": "openclip", "config": CONFIG}, "width": 8, "heads": 2, "weight": 1.0}
    return _run(plugged("fusion", "fused", **params))


@cache
def linear() -> Trained:
    """A student that is no model of open_clip."""
    return _run(plugged("toy", "linear"))
