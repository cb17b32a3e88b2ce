"""The exporter `onnx`: float32 alone, or int8 as well, each evaluated as it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kdbench.contracts.exporter import ExportContext
from kdbench.errors import KdbenchError
from kdbench.plugins.parameters import checked_params
from kdbench.tasks.retrieval import Retrieval
from kdbench_plugins.exporters.onnx import OnnxExporter, kdbench_exporters
from tests.support.toys import cached, encoded, toy

pytest.importorskip("onnxruntime")


def test_int8_is_an_option() -> None:
    (offer,) = kdbench_exporters()
    assert checked_params(offer, {}) == {"int8": False}


@pytest.mark.parametrize("int8", [False, True])
def test_models_and_metadata(tmp_path: Path, int8: bool) -> None:
    student, folder = toy(width=16), tmp_path / "out"
    folder.mkdir()
    split = encoded(tmp_path, student, "test")
    context = ExportContext(folder, "toy", "0" * 12, "a label", Retrieval(), cached(tmp_path), split, 7)
    exported = OnnxExporter(int8=int8).export(student, context)
    assert [model.name for model in exported.models] == (["fp32", "int8"] if int8 else ["fp32"])
    first = exported.models[0]
    assert first.difference is not None
    assert first.difference < 1e-5
    assert set(first.latency) == {"image_batch1", "image_batch32", "text_batch1", "text_batch32"}
    if int8:
        assert exported.models[1].difference is None
        assert set(exported.models[1].latency) == {f"{name}_int8" for name in first.latency}
    assert exported.metadata is not None
    assert exported.metadata["towers"]["text"]["run_id"] == "0" * 12
    assert exported.metadata["open_clip"] is None
    assert "onnxruntime" in exported.packages


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(KdbenchError, match=r"needs onnxscript, which .* pip install 'kdbench\[onnx\]'"):
        OnnxExporter().check(toy(), "toy")
