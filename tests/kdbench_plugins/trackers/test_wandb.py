"""`wandb` in offline mode: its files are read back, no network is touched."""

from __future__ import annotations

import json
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wandb as library
from wandb.proto.wandb_internal_pb2 import Record as Entry  # type: ignore[attr-defined]

from kdbench import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct
from kdbench.records.record import Record, Status
from kdbench.suite.spec import RunSpec
from kdbench_plugins.trackers import wandb

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
pytestmark = pytest.mark.filterwarnings("error")  # an error of a tracker is a warning


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody's account or settings, a server that does not exist, and a service of its own."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_DIR", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.chdir(tmp_path)
    library.teardown()
    yield
    library.teardown()


def plugins_with(**params: Any) -> Plugins:
    found = Plugins()
    found.register(wandb, "kdbench:wandb")
    found.register(construct(found.find("tracker", "wandb").offer, params), "tracker wandb")
    return found


def start(plugins: Plugins, run: RunSpec) -> None:
    plugins.notify("kdbench_run_started", run_id=run.run_id, spec=run)


def epoch(plugins: Plugins, run: RunSpec, number: int, **metrics: float) -> None:
    plugins.notify("kdbench_epoch_finished", run_id=run.run_id, epoch=number, metrics=metrics)


def finish(plugins: Plugins, record: Record) -> None:
    plugins.notify("kdbench_run_finished", run_id=record.run_id, record=record)


@dataclass
class Read:
    """What the file of an offline run holds."""

    name: str = ""
    group: str = ""
    project: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


def offline_runs(folder: Path) -> dict[str, Read]:
    """By the run ids of their configs, once the service has written them to the end."""
    library.teardown()
    found = [read(path) for path in folder.glob("wandb/offline-run-*/*.wandb")]
    assert len({run.config["run_id"] for run in found}) == len(found)
    return {run.config["run_id"]: run for run in found}


def read(path: Path) -> Read:
    found = Read()
    for entry in entries(path.read_bytes()):
        kind = entry.WhichOneof("record_type")
        if kind == "run":
            found.name, found.group, found.project = entry.run.display_name, entry.run.run_group, entry.run.project
            found.config |= {item.key: json.loads(item.value_json) for item in entry.run.config.update}
        elif kind == "history":
            values = {"/".join(item.nested_key): json.loads(item.value_json) for item in entry.history.item}
            assert entry.history.step.num not in found.epochs
            found.epochs[entry.history.step.num] = {k: v for k, v in values.items() if not k.startswith("_")}
        elif kind == "summary":
            update = entry.summary.update
            found.summary |= {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in update}
        elif kind == "exit":
            found.exit_code = entry.exit.exit_code
    return found


def entries(data: bytes) -> Iterator[Entry]:
    """LevelDB's log format after a header of seven bytes: entries in parts, none across a border of 32 KiB."""
    assert data[:4] == b":W&B"
    place, parts = 7, b""
    while place + 7 <= len(data):
        left = 2**15 - place % 2**15
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Entry.FromString(parts)
            parts = b""


def test_interleaved_runs_do_not_mix(spec: Spec, record: Make, tmp_path: Path) -> None:
    plugins, one, two = plugins_with(mode="offline"), spec(), spec(seed=1)
    start(plugins, one)
    epoch(plugins, one, 1, loss=1.0, **{"weight/a": 0.25, "weight/b": 0.75})
    start(plugins, two)
    epoch(plugins, two, 1, loss=10.0, rsum=91.0)
    epoch(plugins, one, 2, loss=0.5, **{"weight/a": 0.5, "weight/b": 0.5})
    finish(plugins, record(one, rsum=100.0))
    epoch(plugins, two, 2, loss=5.0, rsum=92.0)
    finish(plugins, record(two, rsum=120.0))
    found = offline_runs(tmp_path)
    assert found[one.run_id].epochs == {
        1: {"loss": 1.0, "weight/a": 0.25, "weight/b": 0.75},
        2: {"loss": 0.5, "weight/a": 0.5, "weight/b": 0.5},
    }
    assert found[two.run_id].epochs == {1: {"loss": 10.0, "validation/rsum": 91.0}, 2: {"loss": 5.0, "validation/rsum": 92.0}}
    assert [found[run.run_id].summary["test/rsum"] for run in (one, two)] == [100.0, 120.0]
    assert found[one.run_id].summary["mean_weight/a"] == 0.5
    assert found[one.run_id].summary["status"] == "ok"


def test_what_a_run_is_called(spec: Spec, record: Make, tmp_path: Path) -> None:
    plugins, run = plugins_with(project="mine", mode="offline"), spec(seed=3)
    start(plugins, run)
    finish(plugins, record(run))
    found = offline_runs(tmp_path)[run.run_id]
    assert (found.project, found.name, found.group) == ("mine", run.label, "tiny · pebble · a+b · equal")
    assert {key: found.config[key] for key in run.model_dump(mode="json")} == run.model_dump(mode="json")


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("skipped", 0), ("failed", 1), ("diverged", 1)])
def test_the_exit_code_is_the_status(status: Status, code: int, spec: Spec, record: Make, tmp_path: Path) -> None:
    plugins, run = plugins_with(mode="offline"), spec()
    start(plugins, run)
    finish(plugins, record(run, status=status, reason="" if status == "ok" else "no memory"))
    found = offline_runs(tmp_path)[run.run_id]
    assert found.exit_code == code
    assert (found.summary["status"], found.summary["reason"]) == (status, "" if status == "ok" else "no memory")


def test_runs_told_by_two_threads(spec: Spec, record: Make, tmp_path: Path) -> None:
    """As the local engine tells them, one thread a worker."""
    plugins, lock = plugins_with(mode="offline"), threading.Lock()
    together = threading.Barrier(2)

    def tell(run: RunSpec) -> None:
        for number in range(4):
            together.wait()
            with lock:
                if number == 0:
                    start(plugins, run)
                elif number < 3:
                    epoch(plugins, run, number, loss=float(number + 10 * run.seed))
                else:
                    finish(plugins, record(run))

    threads = [threading.Thread(target=tell, args=(spec(seed=seed),)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = offline_runs(tmp_path)
    for seed in (1, 2):
        assert found[spec(seed=seed).run_id].epochs == {n: {"loss": n + 10.0 * seed} for n in (1, 2)}
        assert found[spec(seed=seed).run_id].exit_code == 0


def test_the_environment_says_where_runs_go(
    spec: Spec, record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    plugins = plugins_with()
    start(plugins, spec())
    print("of the program itself")
    finish(plugins, record(spec()))
    assert list(offline_runs(tmp_path)) == [spec().run_id]
    assert capfd.readouterr().out == "of the program itself\n"


def test_an_epoch_is_sent_when_it_ends(spec: Spec, record: Make) -> None:
    """And does not wait for the next."""
    plugins = plugins_with(mode="offline")
    start(plugins, spec())
    tracker: Any = plugins.manager.get_plugin("tracker wandb")
    (run,) = tracker.runs.values()
    for number in (1, 2):
        epoch(plugins, spec(), number, loss=1.0)
        assert run.step == number + 1
    finish(plugins, record(spec()))


def test_disabled_leaves_nothing(spec: Spec, record: Make, tmp_path: Path) -> None:
    plugins = plugins_with(mode="disabled")
    start(plugins, spec())
    epoch(plugins, spec(), 1, loss=1.0)
    finish(plugins, record(spec()))
    assert not (tmp_path / "wandb").exists()


@pytest.mark.parametrize("mode", [None, "online"])
def test_online_without_an_account(mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(KdbenchError, match=r"No API key configured.*mode: offline"):
        plugins_with(mode=mode)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(KdbenchError, match=r"pip install 'kdbench\[wandb\]'"):
        wandb.WandB()
