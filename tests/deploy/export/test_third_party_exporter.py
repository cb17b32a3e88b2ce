"""A format that a third party offers through the hook, and a student of a third party's task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from kdbench.deploy.export.exporting import export
from kdbench.deploy.export.load import trained_student
from kdbench.errors import KdbenchError
from kdbench.records.files import read_arrays, record_path
from kdbench.records.record import Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench_plugins.exporters import onnx
from tests.support import regression_task, state_dict_exporter
from tests.support.export_runs import linear
from tests.support.toys import plugged, run_context, run_spec


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, RunContext]:
    """A run of the regression task."""
    context = run_context(tmp_path_factory.mktemp("run"))
    for module in (regression_task, state_dict_exporter, onnx):
        context.plugins.register(module, f"tests:{module.__name__}")
    parts: dict[str, Any] = {"dataset": plugged("vectors"), "student": plugged("perceptron"), "task": plugged("regression")}
    record = execute(run_spec((), **parts), context)
    assert record.status == "ok", record.reason
    return record, context


def test_it_writes_a_student_of_another_task(run: tuple[Record, RunContext], tmp_path: Path) -> None:
    record, context = run
    arrays = read_arrays(record_path(context.results, record.spec.suite, record.run_id), context.plugins)
    report = export(record, plugged("state_dict"), tmp_path / "out", context.plugins, context.cache, arrays)
    assert set(report.files) == {"README.md", "metadata.json", "model.pt"}
    assert (report.difference, report.agreement) == (0.0, {"mse": 1.0, "mae": 1.0})
    assert report.metrics == pytest.approx(record.metrics)
    assert report.lines()[-1] == f"MSE {record.metrics['mse']:.5f}"
    state = torch.load(tmp_path / "out/model.pt", weights_only=True)
    kept = trained_student(record, context.plugins, context.cache).module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in kept.items())
    metadata = json.loads((tmp_path / "out/metadata.json").read_text())
    assert (metadata["file"], metadata["run_id"]) == ("model.pt", record.run_id)
    assert metadata["spec"]["task"]["use"] == "regression"
    assert metadata["measured"]["agreement"] == {"mse": 1.0, "mae": 1.0}
    card: Any = ModelCard.load(tmp_path / "out/README.md")
    assert (card.data.library_name, card.data.tags) == ("torch", ["state-dict", "knowledge-distillation", "kdbench"])
    assert f"| MSE | {record.metrics['mse']:.5f} |" in card.text
    assert "`regression` (vectors to vectors, squared error)" in card.text
    ((what, count),) = record.sizes.items()
    assert f"{count} {what}" in card.text


def test_weights_that_it_does_not_keep_are_found_out(run: tuple[Record, RunContext], tmp_path: Path) -> None:
    record, context = run
    with pytest.raises(KdbenchError, match=r"'perceptron', exported and loaded again, returns other outputs"):
        export(record, plugged("state_dict", noise=0.1), tmp_path / "out", context.plugins, context.cache)
    assert list(tmp_path.iterdir()) == []


def test_an_exporter_of_another_task(run: tuple[Record, RunContext], tmp_path: Path) -> None:
    record, context = run
    with pytest.raises(KdbenchError, match=r"'onnx' writes students of the task 'retrieval'; run .* is of 'regression'"):
        export(record, plugged("onnx"), tmp_path / "out", context.plugins, context.cache)


def test_it_writes_students_of_retrieval_as_well(tmp_path: Path) -> None:
    trained = linear()
    context = trained.context
    report = export(trained.record, plugged("state_dict"), tmp_path / "out", context.plugins, context.cache, trained.arrays)
    assert report.agreement == {"text": 1.0, "image": 1.0}
    assert report.metrics == trained.record.metrics


def test_check_comes_before_any_data_is_read(run: tuple[Record, RunContext], tmp_path: Path, monkeypatch: Any) -> None:
    record, context = run
    monkeypatch.setattr(regression_task.Regression, "open", lambda *_: pytest.fail("data is read"))

    def refuse(_: Any, __: Any, name: str) -> None:
        raise KdbenchError(f"{name} cannot be written")

    monkeypatch.setattr(state_dict_exporter.StateDict, "check", refuse)
    with pytest.raises(KdbenchError, match="perceptron cannot be written"):
        export(record, plugged("state_dict"), tmp_path / "out", context.plugins, context.cache)
