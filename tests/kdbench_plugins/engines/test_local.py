"""Runs in worker processes, with a worker killed in mid-run."""

from __future__ import annotations

import os
import signal as signals
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import Offer, Progress, Signal
from kdbench.engines.local import LocalEngine, default_jobs
from kdbench.engines.tasks import Event
from kdbench.records.record import record_path, recorded
from kdbench.runs.execute import execute
from kdbench.suite.plan import RunSpec
from tests.support.paths import ROOT
from tests.support.toys import Toys, bench, plugged, run_spec


class Fatal:
    """Kills its own process in mid-training, unless the file `marker` shows that it has done so before."""

    def __init__(self, *, marker: str) -> None:
        self.marker = Path(marker)

    def weigh(self, signal: Signal) -> Tensor:
        if signal.batch.progress >= 0.5 and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signals.SIGKILL)
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))


FATAL = {"strategies": [Offer("fatal", Fatal)]}
TOYS = Toys(**FATAL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the toys a plugin of every process started from here, as an installed distribution is."""
    folder = tmp_path / "site" / "toys-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[kdbench]\ntoys = tests.engines.test_local:TOYS\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (folder.parent, ROOT))))


@pytest.mark.usefixtures("installed")
def test_a_killed_worker_costs_one_run_and_that_one_can_go_on(tmp_path: Path) -> None:
    fatal = run_spec(strategy=plugged("fatal", marker=str(tmp_path / "marker")))
    specs = [run_spec(("a",)), fatal, run_spec(strategy=plugged("ammkd", C=0.6)), run_spec(strategy=plugged("absent"))]
    events: list[tuple[RunSpec | None, Event]] = []
    threads: set[int] = set()

    def on_event(spec: RunSpec | None, event: Event) -> None:
        events.append((spec, event))
        threads.add(threading.get_ident())

    where = bench(tmp_path, **FATAL)
    LocalEngine(where.results, where.cache.root, "cpu", 2, on_event).run(specs)

    def of(spec: RunSpec, kind: str) -> list[Event]:
        return [event for other, event in events if other is spec and event["event"] == kind]

    assert [len(of(spec, "started")) for spec in specs] == [1] * 4
    assert [len(of(spec, "finished")) for spec in specs] == [1, 0, 1, 1]
    assert [len(of(spec, "crashed")) for spec in specs] == [0, 1, 0, 0]
    assert "SIGKILL" in of(fatal, "crashed")[0]["reason"]
    assert len(threads) == 2
    for spec, status in ((specs[0], "ok"), (specs[2], "ok"), (specs[3], "failed")):
        record: Any = of(spec, "finished")[0]["record"]
        assert record["status"] == status
        stored = recorded(where.results, "toys", spec.run_id)
        assert stored is not None
        assert stored.model_dump(mode="json") == record
        assert (record["device"], record["threads"]) == ("cpu", 1)
    assert not record_path(where.results, "toys", fatal.run_id).exists()
    # Epochs and the last step of a run are told, whatever the clock.
    assert [event["epoch"] for event in of(specs[0], "epoch")] == [1, 2, 3]
    assert of(specs[0], "progress")[-1]["progress"]["total"] > 0

    told: list[Progress] = []
    again = execute(fatal, replace(where, on_progress=told.append))
    assert again.status == "ok"
    assert [progress.done for progress in told if progress.stage == "train"] == list(range(7, 13))
    calm = execute(fatal, bench(tmp_path / "calm", **FATAL))
    assert again.ranks_sha256 == calm.ranks_sha256


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_listener_ends_the_engine_and_is_not_lost(tmp_path: Path) -> None:
    """Or the runs left over would be missing without a word."""

    def on_event(spec: RunSpec | None, event: Event) -> None:  # noqa: ARG001
        raise OSError(f"no space left for {event['event']}")

    engine = LocalEngine(tmp_path / "results", tmp_path / "cache", "cpu", 1, on_event)
    with pytest.raises(OSError, match="no space left for started"):
        engine.run([run_spec(()), run_spec((), seed=1)])


def test_as_many_processes_as_cores() -> None:
    assert default_jobs("cpu") == os.cpu_count()
    assert default_jobs("cuda") == default_jobs("cuda:1") == 1
    assert default_jobs("auto") == (1 if torch.cuda.is_available() else os.cpu_count())
