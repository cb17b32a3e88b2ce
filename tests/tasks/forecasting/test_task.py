"""Forecasting from a suite to the ranked table, with strategies that can and that cannot weigh forecasts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kdbench.errors import PluginError, SuiteError
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.files import read_arrays, record_path
from kdbench.records.reading import read_measured
from kdbench.records.record import Record
from kdbench.records.verify import verify
from kdbench.reports import build, render
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.rehearse import rehearse
from kdbench.storage.cache import Cache
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from kdbench.tasks.forecasting import Forecasting
from kdbench.testing import conform
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves
from kdbench.testing.tasks import PROPERTIES, check_task
from tests.support.waves import registered

SUITE = """\
name: waves
seeds: [0]
datasets: [{use: waves, beyond: 2, windows: 2}]
students: [linear_forecaster]
teachers:
  good: {use: fitted, epochs: 4}
  poor: drawn
references: [good]
teams: [[], [good], [good, poor]]
strategies: [ammkd, entropy, whiten_mtd, mtkd_rl, rl_select, meta, {use: route, routes: {"*": good}}]
objective:
  - field_mse
  - {use: field_feature, coefficient: 0.1}
train: {epochs: 2, batch_size: 16, lr: 0.02, precision: fp32}
evaluate: {rollout: 2}
"""
SKIPPED = {
    "entropy": "reads distributions over candidates; a forecast is a field, which has no candidates",
    "meta": "reads distributions over candidates; a forecast is a field, which has no candidates",
    "whiten_mtd": "compares embeddings of samples; a forecast is a field, which has no embedding",
    "mtkd_rl": "compares embeddings of samples; a forecast is a field, which has no embedding",
    "rl_select": "compares embeddings of samples; a forecast is a field, which has no embedding",
}


def specs(folder: Path, plugins: Plugins, text: str = SUITE) -> list[RunSpec]:
    path = folder / "waves.yaml"
    path.write_text(text)
    return plan(load_suite(path, plugins))


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return registered()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, plugins: Plugins) -> tuple[RunContext, dict[str, Record]]:
    """All runs of the suite by label."""
    folder = tmp_path_factory.mktemp("waves")
    context = RunContext(plugins, Cache(folder / "cache"), folder / "results")
    return context, {spec.label: execute(spec, context) for spec in specs(folder, plugins)}


def test_the_task_conforms() -> None:
    check_task(lambda: Forecasting(rollout=3), lambda: Waves(grid=(8, 8), beyond=3, windows=2), LinearForecaster)
    findings = conform(installed().find("task", "forecasting").offer, "task")
    assert [(finding.property, finding.outcome) for finding in findings[1:]] == [(name, "holds") for name in PROPERTIES]


def test_runs_finish_or_are_skipped_with_the_reason(done: tuple[RunContext, dict[str, Record]]) -> None:
    context, records = done
    told = {label: (record.status, record.reason) for label, record in records.items()}
    for strategy, reason in SKIPPED.items():
        assert told.pop(f"linear_forecaster · good+poor · {strategy} · seed 0") == ("skipped", reason)
    assert told == {
        "good · teacher itself": ("ok", ""),
        "linear_forecaster · no distillation · seed 0": ("ok", ""),
        "linear_forecaster · good · seed 0": ("ok", ""),
        "linear_forecaster · good+poor · ammkd · seed 0": ("ok", ""),
        "linear_forecaster · good+poor · route · seed 0": ("ok", ""),
    }
    _, problems = verify([context.results], context.plugins)
    assert problems == []


def test_records_hold_errors_by_sample_and_frame(done: tuple[RunContext, dict[str, Record]]) -> None:
    context, records = done
    record = records["linear_forecaster · good+poor · ammkd · seed 0"]
    assert record.sizes == {"trajectories": 8, "samples": 16, "frames": 3, "points": 64}
    assert record.units_sha256 is not None
    arrays = read_arrays(record_path(context.results, "waves", record.run_id), context.plugins)
    assert arrays["mse_by_frame"].shape == (16, 3)
    assert arrays["rollout_mse_by_frame"].shape == (16, 2)
    for name, value in record.metrics.items():
        assert value == pytest.approx(arrays[name].mean())
    assert sum(record.weights.values()) == pytest.approx(1)
    assert min(record.weights.values()) > 0


def test_the_teacher_is_better_and_rows_are_ranked_by_the_lowest_error(done: tuple[RunContext, dict[str, Record]]) -> None:
    context, _ = done
    reading = read_measured([context.results], context.plugins)
    assert reading.problems == []
    board = build(reading.runs, reading.unfinished, reading.units)
    [table] = board.tables
    means = [row.value.mean for row in table.rows]
    assert means == sorted(means)
    assert means == pytest.approx(
        sorted(1000 * run.record.metrics["mse"] for run in reading.runs if not run.record.spec.reference)
    )
    assert [note for note in board.notes if "whiten_mtd" in note] == [
        f"linear_forecaster · good+poor · whiten_mtd · seed 0: skipped: {SKIPPED['whiten_mtd']}"
    ]
    text = render(board)
    for label in ("MSE", "SSIM", "rel. L2", "MSE high", "rollout MSE", "lower is better", "8 trajectories, 16 samples"):
        assert label in text


def test_a_sample_is_told_in_the_unit_of_the_table() -> None:
    task = Forecasting()
    [of] = task.queries
    mse = task.headline
    assert of.figure == mse.head == "MSE (10⁻³)"
    assert of.text(0.0079575) == "7.9575"


def test_equal_runs_have_equal_records(tmp_path: Path, plugins: Plugins, done: tuple[RunContext, dict[str, Record]]) -> None:
    spec = next(spec for spec in specs(tmp_path, plugins) if spec.strategy and spec.strategy.use == "ammkd")
    again = execute(spec, replace(done[0], results=tmp_path / "results"))
    assert again.arrays_sha256 == done[1][spec.label].arrays_sha256
    assert again.trace_sha256 == done[1][spec.label].trace_sha256


def test_a_suite_is_rehearsed_before_its_data_exist(tmp_path: Path, plugins: Plugins) -> None:
    context = RunContext(plugins, Cache(tmp_path / "cache"), tmp_path / "results")
    for spec in specs(tmp_path, plugins):
        if spec.strategy and spec.strategy.use == "ammkd":
            rehearse(spec, context)
    assert not (tmp_path / "cache/datasets").exists()
    wrong = SUITE.replace("[linear_forecaster]", "[{use: linear_forecaster, horizon: 4}]")
    with pytest.raises(PluginError, match="the student: horizon: found 4; expected 3, as the dataset has"):
        rehearse(specs(tmp_path, plugins, wrong)[1], context)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rollout: 2", "rollout: 3", "at most 2, the frames beyond the horizon in waves's test split"),
        ("rollout: 2", "bands: [0.5, 0.25]", "two increasing shares"),
        ("rollout: 2", "recall_at: [1]", "recall_at"),
        ("batch_size: 16", "batch_size: 64", "at most 48, the samples in waves's train split"),
        ("  - field_mse\n", "  - relational_kl\n", "relational_kl"),
        ("precision: fp32", "loss: siglip", "the task 'forecasting' has one loss"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_plan(tmp_path: Path, plugins: Plugins, old: str, new: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        specs(tmp_path, plugins, SUITE.replace(old, new))


def test_an_objective_of_several_tasks_fits(tmp_path: Path, plugins: Plugins) -> None:
    found = specs(tmp_path, plugins, SUITE.replace("  - field_mse\n", "  - frequency\n"))
    assert [term.use for term in found[-1].terms] == ["frequency", "field_feature"]


def test_samples_of_a_trajectory_are_one_unit(done: tuple[RunContext, dict[str, Record]]) -> None:
    task, (_, records) = Forecasting(), done
    assert task.headline.name == "mse"
    sizes = records["good · teacher itself"].sizes
    arrays = {metric.name: np.arange(32.0).reshape(2, 16) for metric in task.metrics}
    units = {"samples": np.repeat(np.arange(8), 2)}
    assert task.contributions(arrays, sizes, units).values["mse"].shape == (2, 8)
    assert "independent" in task.contributions(arrays, sizes).note
    assert task.contributions(arrays, sizes | {"trajectories": 16}).note == ""
