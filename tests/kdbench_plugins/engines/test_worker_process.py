"""One worker process: its events, its logs, its death."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdbench.contracts import Site
from kdbench.engines.logs import log_path
from kdbench.engines.messages import (
    EVENT,
    AnyEvent,
    Crashed,
    ExecuteRun,
    Exited,
    Finished,
    Signalled,
    Started,
    TimedOut,
    Waiting,
    Working,
)
from kdbench.records.files import read_record, record_path
from kdbench.runs.once import run_lock
from kdbench_plugins.engines import worker_process
from kdbench_plugins.engines.worker_process import WorkerProcess
from tests.support.distributions import installed
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE
from tests.support.toys import plugged, run_context, run_spec


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
    assert worker.process.wait(PATIENCE) == -signal.SIGKILL  # it kills its group, children included


STRANGERS = '''
import multiprocessing, os, sys, threading, time
from pathlib import Path
import torch
from kdbench import Offer, hookimpl
from tests.support.toys import Toys

class Equal:
    def __init__(self, *, file: str = ""):
        self.file, self.steps = file, 0
    def weigh(self, signal):
        self.steps += 1
        if self.steps == 1:
            self.first()
        return torch.full((len(signal.teachers),), 1 / len(signal.teachers))

class Pool(Equal):
    """Uses a pool of forked processes, as a DataLoader does."""
    def first(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print("pool", pool.map(abs, [-1, 2]))

class Reads(Equal):
    """Reads standard input."""
    def first(self):
        print("read", repr(sys.stdin.read()))

class Forks(Equal):
    """Its forked child returns, too."""
    def first(self):
        if os.fork() == 0:
            time.sleep(0.2)

class Leaves(Equal):
    """Leaves a child behind that ignores everything but a kill, and waits for ever."""
    def first(self):
        child = os.fork()
        if child == 0:
            time.sleep(3600)
        Path(self.file).write_text(str(child))
        if self.file.endswith("dies"):
            os._exit(9)
        while self.file.endswith("hangs"):
            time.sleep(1)

class Exits(Equal):
    def first(self):
        sys.exit(3)

if "STRANGERS_THREAD" in os.environ:
    threading.Thread(target=time.sleep, args=(3600,)).start()

BUILDERS = (Pool, Reads, Forks, Leaves, Exits)
STRANGERS = Toys(strategies=[Offer(builder.__name__.lower(), builder) for builder in BUILDERS])
'''


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes strategies that fork, read and hang plugins of workers started from here."""
    monkeypatch.setenv("PYTHONPATH", installed(tmp_path / "site", "strangers:STRANGERS", STRANGERS))


def expire_with(worker: WorkerProcess, file: Path) -> None:
    while not file.exists() or not file.read_text():
        time.sleep(0.1)
    worker._expire()


def ended(process: int) -> bool:
    """Whether a process is gone, or waits as a zombie for a parent that reads its status. Waits for it a while."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.usefixtures("strangers")
def test_plugins_may_fork_read_exit_and_print(site: Site) -> None:
    """All in one worker, which outlives them; each prints to a log of its own."""
    worker = WorkerProcess(site)
    try:
        for name, status, printed in (
            ("pool", "ok", "pool [1, 2]\n"),
            ("reads", "ok", "read ''\n"),
            ("forks", "ok", ""),
            ("exits", "failed", "SystemExit: 3\n"),
            ("equal", "ok", ""),
        ):
            work = ExecuteRun(spec=run_spec(strategy=plugged(name)))
            [finished] = [event for event in worker.execute(work) if isinstance(event, Finished)]
            assert (name, finished.record.status) == (name, status)
            log = log_path(site, work)
            assert (log.read_text() if log.exists() else "")[-len(printed) or None :] == printed
            assert read_record(record_path(site.results, "toys", work.key)) == finished.record
            assert finished.log == ("" if status == "ok" else log.read_text())
        assert not worker.ended
    finally:
        worker.stop()


@pytest.mark.fault("a run that forks, and dies, hangs or ends")
@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(("how", "reason"), [("dies", Exited(code=9)), ("hangs", TimedOut(seconds=3600.0)), ("stays", None)])
def test_children_end_with_their_run(
    how: str, reason: object, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it dies, takes too long, or stays until the end of a worker that must not fork, because it has another thread.

    Work that takes too long leaves the stacks of its threads in its log.
    """
    if how == "stays":
        monkeypatch.setenv("STRANGERS_THREAD", "1")
    worker = WorkerProcess(replace(site, timeout=3600.0))
    file = tmp_path / how
    work = ExecuteRun(spec=run_spec(strategy=plugged("leaves", file=str(file))))
    if how == "hangs":  # the limit is reached when the child is there, however slow this machine is
        threading.Thread(target=expire_with, args=(worker, file)).start()
    events = list(worker.execute(work))
    if how == "stays":
        assert isinstance(events[-1], Finished)
        assert events[-1].record.status == "ok"
    else:
        assert isinstance(events[-1], Crashed)
        assert events[-1].reason == reason
    assert worker.ended == (how != "dies")
    assert ended(int(file.read_text()))
    worker.stop()
    if how == "hangs":
        assert "in weigh" in events[-1].log
        assert "strangers.py" in log_path(site, work).read_text()


@pytest.mark.parametrize("told", [1, 2])
@pytest.mark.usefixtures("strangers")
def test_time_in_which_a_run_waits_for_another_process_does_not_count(
    told: int, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the time before it count twice if it waits for two. What the other process prints stays."""
    spec = run_spec(())
    worker = WorkerProcess(replace(site, timeout=120.0))
    context = run_context(tmp_path)
    log = log_path(site, ExecuteRun(spec=spec))
    log.parent.mkdir(parents=True)
    log.write_text("of the process that executes it\n")
    limits: list[float] = []
    timer = worker._timer

    def noted(seconds: float) -> threading.Timer:
        limits.append(seconds)
        return timer(seconds)

    worker._timer = noted  # type: ignore[method-assign]
    assert worker.process.stdout
    monkeypatch.setattr(worker.process, "stdout", repeated(worker.process.stdout, '"waiting"', told))
    seconds: list[float] = [0.0]  # of a clock on which each event takes one
    monkeypatch.setattr(worker_process, "time", SimpleNamespace(monotonic=lambda: seconds[0], sleep=time.sleep))
    at: dict[type, float] = {}
    try:
        with ExitStack() as stack:
            stack.enter_context(run_lock(spec, context))

            class Heard:
                """Frees the lock when the worker says that it waits."""

                def validate_json(self, line: str) -> AnyEvent:
                    event = EVENT.validate_json(line)
                    seconds[0] += 1.0
                    if isinstance(event, Waiting) and Waiting not in at:
                        assert log.read_text() == "of the process that executes it\n"
                        stack.close()
                    at.setdefault(type(event), seconds[0])
                    return event

            monkeypatch.setattr(worker_process, "EVENT", Heard())
            events = list(worker.execute(ExecuteRun(spec=spec)))
        assert isinstance(events[-1], Finished)
        assert events[-1].record.status == "ok", events[-1].record.reason
        # To start; to work; after the wait, what is left of it.
        assert limits[1:] == [120.0, 120.0 - (at[Waiting] - at[Working])]
    finally:
        worker.stop()


def repeated(lines: Iterable[str], what: str, times: int) -> Iterator[str]:
    for line in lines:
        yield from [line] * (times if what in line else 1)
