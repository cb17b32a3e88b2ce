"""`export` as the command line calls it: first-party formats, and one of a third party for another task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdbench.deploy.export.exporting import export
from kdbench.deploy.export.report import ExportReport
from kdbench.errors import KdbenchError
from kdbench.suite.plugin_entries import plug
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench_plugins.exporters.onnx_runtime import onnx_embeddings
from tests.support.export_runs import Trained, linear, small
from tests.support.toys import plugged


@pytest.fixture(scope="module")
def trained() -> Trained:
    return small()


def exported(trained: Trained, folder: Path, to: str, expected: Any = None, **options: Any) -> ExportReport:
    plugins = trained.context.plugins
    target = plug("exporter", {"use": to, **options}, "--to", plugins)
    return export(trained.record, target, folder, plugins, trained.context.cache, expected)


@pytest.fixture(scope="module")
def onnx_report(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    pytest.importorskip("onnxruntime")
    return exported(trained, tmp_path_factory.mktemp("onnx"), "onnx", int8=True, expected=trained.arrays)


def test_to_open_clip(trained: Trained, tmp_path: Path) -> None:
    report = exported(trained, tmp_path / "out", "open_clip", expected=trained.arrays)
    assert set(report.files) == {"README.md", "open_clip_config.json", "open_clip_model.safetensors"}
    assert report.files == {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert report.agreement == {"text": 1.0, "image": 1.0}
    assert report.metrics == trained.record.metrics
    assert report.difference is not None
    assert 0 < report.difference < 1e-5
    assert (report.variants, report.latency) == ({}, {})
    card = (tmp_path / "out/README.md").read_text()
    assert f"{report.difference:.1e}" in card
    assert (
        "Pictures are resized until they cover 32 × 40 pixels, and cropped to that size around their centre (bicubic)" in card
    )
    assert "Loaded again from this folder" not in card  # it reaches the record's figures
    assert "equal to the record: text 100.00%, image 100.00%" in report.lines()


def test_to_onnx(trained: Trained, onnx_report: ExportReport) -> None:
    report = onnx_report
    assert set(report.files) == {"image.onnx", "text.onnx", "image.int8.onnx", "text.int8.onnx", "metadata.json"}
    assert report.agreement == {"text": 1.0, "image": 1.0}
    assert report.metrics == trained.record.metrics
    assert report.difference is not None
    assert report.difference < 1e-5
    split = trained.split
    embeddings = onnx_embeddings(report.folder, split, "int8", batch_size=1)
    assert report.variants["int8"] == Ranks.of(*embeddings, split.image_concepts, split.caption_concepts).metrics([1, 5])
    assert {"image_batch1", "text_batch32", "text_batch32_int8"} < set(report.latency)
    lines = "\n".join(report.lines())
    assert f"RSUM {report.metrics['rsum']:.2f}, int8 {report.variants['int8']['rsum']:.2f}" in lines


def test_the_metadata(trained: Trained, onnx_report: ExportReport) -> None:
    found = json.loads((onnx_report.folder / "metadata.json").read_text())
    assert found["run_id"] == trained.record.run_id
    assert found["towers"]["image"]["input"] == "uint8 [batch, 32, 40, 3]"
    assert found["open_clip"]["preprocess_cfg"]["resize_mode"] == "shortest"
    assert found["towers"]["image"]["preprocessing"].startswith(
        "Pictures are resized until they cover 32 × 40 pixels, and cropped"
    )
    assert "preprocessing" not in found["towers"]["text"]
    assert found["logit_scale"] == pytest.approx(trained.student.module.logit_scale.exp().item())
    assert found["measured"]["int8"] == onnx_report.variants["int8"]
    assert found["measured"]["threads"] == 1
    assert set(found["exported_with"]) >= {"torch", "onnx", "onnxruntime"}


def test_a_student_that_is_no_model_of_open_clip(tmp_path: Path) -> None:
    run = linear()
    pytest.importorskip("onnxruntime")
    report = exported(run, tmp_path / "onnx", "onnx")
    assert report.agreement == {"text": 1.0, "image": 1.0}
    assert json.loads((tmp_path / "onnx/metadata.json").read_text())["open_clip"] is None
    with pytest.raises(KdbenchError, match="'linear' is not an open_clip model"):
        exported(run, tmp_path / "open_clip", "open_clip")
    assert list(tmp_path.iterdir()) == [tmp_path / "onnx"]


def test_a_folder_that_is_not_empty(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    with pytest.raises(KdbenchError, match="is not empty, it holds notes"):
        exported(trained, tmp_path, "open_clip")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_the_dataset_has_changed(trained: Trained, tmp_path: Path) -> None:
    spec = trained.record.spec
    other = spec.dataset.replace(params={**spec.dataset.params, "seed": 5})
    record = trained.record.replace(spec=spec.replace(dataset=other))
    with pytest.raises(KdbenchError, match=r"was evaluated on a dataset with the digest .* but 'beads' has"):
        export(record, plugged("open_clip"), tmp_path / "out", trained.context.plugins, trained.context.cache)
    assert list(tmp_path.iterdir()) == []


def test_what_there_is_no_export_to(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"(?s)onyx.*onnx"):
        exported(trained, tmp_path / "out", "onyx")
    with pytest.raises(KdbenchError, match=r"no exporter is called 'onyx'; did you mean 'onnx'\?"):
        export(trained.record, plugged("onyx"), tmp_path / "out", trained.context.plugins, trained.context.cache)
    with pytest.raises(KdbenchError, match="int8"):
        exported(trained, tmp_path / "out", "open_clip", int8=True)
    assert list(tmp_path.iterdir()) == []
