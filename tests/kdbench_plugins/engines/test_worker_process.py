"""One worker process: its events, its logs, its death."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench.contracts import Site
from kdbench.engines.messages import AnyEvent, Crashed, ExecuteRun, Exited, Finished, Signalled, Started
from kdbench_plugins.engines.worker_process import WorkerProcess
from tests.support.paths import ROOT
from tests.support.toys import run_spec


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "results", tmp_path / "cache", "cpu")


@pytest.fixture
def worker(site: Site) -> Iterator[WorkerProcess]:
    made = WorkerProcess(site)
    yield made
    made.stop()


def test_a_failure_carries_the_log_and_the_worker_stays(worker: WorkerProcess) -> None:
    """The toys are no plugin of its environment."""
    for seed in range(2):
        first, last = worker.execute(ExecuteRun(spec=run_spec((), seed=seed)))
        assert first == Started()
        assert isinstance(last, Finished)
        assert last.record.status == "failed"
        assert last.record.spec.seed == seed
    assert not worker.ended


def test_a_killed_worker_says_so(worker: WorkerProcess) -> None:
    events = worker.execute(ExecuteRun(spec=run_spec(())))
    assert next(events) == Started()
    os.kill(worker.process.pid, signal.SIGKILL)
    assert list(events)[-1] == Crashed(reason=Signalled(signal="SIGKILL"))
    assert worker.ended
    assert list(worker.execute(ExecuteRun(spec=run_spec(())))) == [Started(), Crashed(reason=Signalled(signal="SIGKILL"))]


def test_the_log_of_a_worker_that_cannot_start(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('torch is broken here')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}:{ROOT}")
    events: list[AnyEvent] = list(WorkerProcess(site).execute(ExecuteRun(spec=run_spec(()))))
    assert isinstance(events[-1], Crashed)
    assert events[-1].reason == Exited(code=1)
    assert "torch is broken here" in events[-1].log


def test_a_worker_ends_with_its_parent(worker: WorkerProcess) -> None:
    """Which closes its standard input, however it goes."""
    assert worker.process.stdin
    worker.process.stdin.close()
    assert worker.process.wait(60) == -signal.SIGKILL  # it kills its group, children included
