"""The exporter `open_clip`: offered without importing torch, and honest about students that do not describe themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdbench.contracts.exporter import ExportContext
from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval import Retrieval
from kdbench_plugins.exporters.open_clip import OpenClipExporter, kdbench_exporters
from tests.support.export_runs import Trained, small
from tests.support.toys import toy


def context(trained: Trained, folder: Path) -> ExportContext:
    split = trained.split
    return ExportContext(folder, "small", trained.record.run_id, trained.record.label, Retrieval(), trained.dataset, split, 64)


def test_it_is_offered_for_retrieval() -> None:
    (offer,) = kdbench_exporters()
    assert (offer.name, offer.task) == ("open_clip", "retrieval")


@pytest.mark.parametrize("name", ["open_clip", "onnx"])
def test_offering_imports_neither_torch_nor_a_runtime(name: str) -> None:
    code = (
        f"import sys, kdbench_plugins.exporters.{name} as plugin; plugin.kdbench_exporters(); "
        "print({'torch', 'open_clip', 'onnx', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_other_students_are_refused_before_anything_is_written() -> None:
    with pytest.raises(KdbenchError, match=r"'linear' is not an open_clip model"):
        OpenClipExporter().check(toy(), "linear")
    OpenClipExporter().check(small().student, "small")


def test_one_model_within_the_tolerance(tmp_path: Path) -> None:
    trained = small()
    exported = OpenClipExporter().export(trained.student, context(trained, tmp_path))
    (model,) = exported.models
    assert model.difference is not None
    assert 0 < model.difference < 1e-5
    assert exported.card is not None
    assert "create_model_from_pretrained(folder)" in exported.card.usage
    assert exported.metadata is None


def test_a_student_that_preprocesses_otherwise_than_it_says(tmp_path: Path) -> None:
    trained = small()
    student: Any = trained.student
    describe = student.open_clip

    def wrong() -> tuple[dict[str, Any], Any]:
        config, clip = describe()
        return config | {"preprocess_cfg": config["preprocess_cfg"] | {"resize_mode": "squash"}}, clip

    student.open_clip = wrong
    with pytest.raises(KdbenchError, match=r"(?s)gives other embeddings.*open_clip\(\) does not describe its preprocessing"):
        OpenClipExporter().export(student, context(trained, tmp_path))
