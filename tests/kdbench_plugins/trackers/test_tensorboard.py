"""`tensorboard`, read back with TensorBoard's own reader."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from kdbench import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct
from kdbench.records.record import Record
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from kdbench_plugins.trackers import tensorboard
from tests.support.toys import run_context, run_spec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
pytestmark = pytest.mark.filterwarnings("error")  # an error of a tracker is a warning


class Telling:
    """Tells a tracker of runs as a session does."""

    def __init__(self, log_dir: Path) -> None:
        self.plugins = Plugins()
        self.plugins.register(tensorboard, "kdbench:tensorboard")
        tracker = construct(self.plugins.find("tracker", "tensorboard").offer, {"log_dir": str(log_dir)})
        self.plugins.register(tracker, "tracker tensorboard")

    def start(self, spec: RunSpec) -> None:
        self.plugins.notify("kdbench_run_started", run_id=spec.run_id, spec=spec)

    def epoch(self, spec: RunSpec, epoch: int, **metrics: float) -> None:
        self.plugins.notify("kdbench_epoch_finished", run_id=spec.run_id, epoch=epoch, metrics=metrics)

    def finish(self, record: Record) -> None:
        self.plugins.notify("kdbench_run_finished", run_id=record.run_id, record=record)


def read(log_dir: Path, spec: RunSpec) -> EventAccumulator:
    (folder,) = log_dir.rglob(f"*{spec.run_id}")
    assert folder.parent == log_dir / spec.suite
    return EventAccumulator(str(folder)).Reload()


def curve(events: EventAccumulator, name: str) -> dict[int, float]:
    found = [(event.step, event.value) for event in events.Scalars(name)]
    assert len(dict(found)) == len(found)
    return dict(found)


def texts(events: EventAccumulator, name: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in events.Tensors(f"{name}/text_summary")]


def test_interleaved_runs_have_a_folder_each(spec: Spec, record: Make, tmp_path: Path) -> None:
    told = Telling(tmp_path / "runs")
    one, two = spec(), spec(seed=1)
    told.start(one)
    told.start(two)
    for epoch in (1, 2):
        told.epoch(one, epoch, loss=1 / epoch, **{"weight/a": 0.25, "weight/b": 0.75})
        told.epoch(two, epoch, loss=10 / epoch, rsum=90.0 + epoch)
    told.finish(record(two, rsum=120.0))
    told.finish(record(one, rsum=100.0))

    events = read(tmp_path / "runs", one)
    assert curve(events, "loss") == {1: 1.0, 2: 0.5}
    assert curve(events, "weight/b") == {1: 0.75, 2: 0.75}
    assert curve(events, "test/rsum") == {2: 100.0}
    assert "validation/rsum" not in events.Tags()["scalars"]
    events = read(tmp_path / "runs", two)
    assert curve(events, "loss") == {1: 10.0, 2: 5.0}
    assert curve(events, "validation/rsum") == {1: 91.0, 2: 92.0}
    assert curve(events, "test/rsum") == {2: 120.0}
    assert "weight/a" not in events.Tags()["scalars"]
    assert len(list((tmp_path / "runs").rglob("events*"))) == 2


def test_spec_status_and_hyperparameters(spec: Spec, record: Make, tmp_path: Path) -> None:
    told, run = Telling(tmp_path), spec()
    told.start(run)
    told.epoch(run, 1, loss=1.0)
    told.finish(record(run))
    events = read(tmp_path, run)
    (text,) = texts(events, "spec")
    assert json.loads(text.removeprefix("```json").removesuffix("```")) == run.model_dump(mode="json")
    assert texts(events, "status") == ["ok"]
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    shown = HParamsPluginData.FromString(content).session_start_info.hparams
    assert shown["train.lr"].number_value == 1e-3
    assert shown["team.1.params.focal"].number_value == 50.0
    assert shown["strategy.name"].string_value == "equal"
    content = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    metrics = [info.name.tag for info in HParamsPluginData.FromString(content).experiment.metric_infos]
    assert "test/rsum" in metrics
    assert set(metrics) <= set(events.Tags()["scalars"])


def test_epochs_can_be_read_before_the_run_ends(spec: Spec, tmp_path: Path) -> None:
    told, run = Telling(tmp_path), spec()
    told.start(run)
    for epoch in (1, 2, 3):
        told.epoch(run, epoch, loss=3.0 * epoch)
        assert curve(read(tmp_path, run), "loss") == {known: 3.0 * known for known in range(1, epoch + 1)}


def test_a_run_that_resumes_replaces_what_it_repeats(spec: Spec, record: Make, tmp_path: Path) -> None:
    run = spec(train={"epochs": 4, "batch_size": 8})
    first = Telling(tmp_path)
    first.start(run)
    for epoch in (1, 2, 3):
        first.epoch(run, epoch, loss=10.0 * epoch)
    second = Telling(tmp_path)  # the checkpoint was of the second epoch
    second.start(run)
    for epoch in (3, 4):
        second.epoch(run, epoch, loss=100.0 * epoch)
    second.finish(record(run))
    events = read(tmp_path, run)
    assert curve(events, "loss") == {1: 10.0, 2: 20.0, 3: 300.0, 4: 400.0}
    assert curve(events, "test/rsum") == {4: 100.0}


def test_a_start_without_an_epoch_hides_nothing(spec: Spec, record: Make, tmp_path: Path) -> None:
    run = spec()
    first = Telling(tmp_path)
    first.start(run)
    first.epoch(run, 1, loss=10.0)
    second = Telling(tmp_path)
    second.start(run)
    second.finish(record(run, status="failed", reason="no memory", metrics={}, weights={}))
    events = read(tmp_path, run)
    assert curve(events, "loss") == {1: 10.0}
    assert texts(events, "status") == ["failed: no memory"]
    assert "_hparams_/session_start_info" not in events.summary_metadata


def test_names_are_fit_for_folders(spec: Spec, record: Make, tmp_path: Path) -> None:
    run = spec(student={"name": "../w/é:1", "use": "pebble", "params": {}}, suite="a b/..")
    told = Telling(tmp_path)
    told.start(run)
    told.finish(record(run))
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parent.parent.parent == tmp_path
    assert file.parent.name == f"w-é-1-a+b-equal-seed-0-{run.run_id}"


def test_nothing_stays_open_after_a_run(spec: Spec, record: Make, tmp_path: Path) -> None:
    told, before = Telling(tmp_path), threading.active_count()
    for seed in range(3):
        run = spec(seed=seed)
        told.start(run)
        told.epoch(run, 1, loss=1.0)
        assert threading.active_count() == before + 1
        told.finish(record(run))
        assert threading.active_count() == before


def test_a_real_run_is_tracked_as_it_was(tmp_path: Path) -> None:
    told, run = Telling(tmp_path / "runs"), run_spec()
    heard: dict[int, dict[str, float]] = {}

    def on_epoch(run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        assert run_id == run.run_id
        heard[epoch] = metrics
        told.epoch(run, epoch, **metrics)

    told.start(run)
    record = execute(run, replace(run_context(tmp_path), on_epoch=on_epoch))
    told.finish(record)
    events = read(tmp_path / "runs", run)
    for name, tag in [("loss", "loss"), ("weight/a", "weight/a"), ("rsum", "validation/rsum")]:
        assert curve(events, tag) == {epoch: pytest.approx(metrics[name], rel=1e-6) for epoch, metrics in heard.items()}
    assert curve(events, "test/rsum") == {3: pytest.approx(record.metrics["rsum"], rel=1e-6)}
    assert list(heard) == [1, 2, 3]
    assert np.ptp([metrics["loss"] for metrics in heard.values()]) > 0


def test_the_default_folder_is_in_the_current_one(
    spec: Spec, record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracker: Any = tensorboard.TensorBoard()
    monkeypatch.chdir(tmp_path.parent)  # what is built stays where it was built
    tracker.kdbench_run_finished(spec().run_id, record(spec()))
    assert curve(read(tmp_path / "runs", spec()), "test/rsum") == {2: 100.0}


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(KdbenchError, match=r"pip install 'kdbench\[tensorboard\]'"):
        tensorboard.TensorBoard()
