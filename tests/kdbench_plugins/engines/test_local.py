"""Runs in worker processes, one of which is killed in mid-run."""

from __future__ import annotations

import os
import signal as signals
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import Tensor

from kdbench import Offer, Progress, Signal
from kdbench.contracts import Event, Site, Work
from kdbench.engines.logs import log_path
from kdbench.engines.messages import (
    Crashed,
    EpochFinished,
    ExecuteRun,
    Finished,
    PrepareTeacher,
    ProgressMade,
    ServeStudy,
    Signalled,
    Started,
    Warned,
    preparations,
)
from kdbench.records.files import record_path, recorded
from kdbench.runs.execute import execute
from kdbench.suite.spec import RunSpec
from kdbench.suite.study import studies
from kdbench_plugins.engines.local import Local, _Pool, _repeated, default_jobs
from kdbench_plugins.engines.worker_process import WorkerProcess
from tests.support import distributions
from tests.support.sweeping import suite_of
from tests.support.toys import Toys, plugged, run_context, run_spec


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
    monkeypatch.setenv(
        "PYTHONPATH", distributions.installed(tmp_path / "site", "tests.kdbench_plugins.engines.test_local:TOYS")
    )


Kind = TypeVar("Kind", bound=Event)


class Heard:
    """The events of an engine."""

    def __init__(self) -> None:
        self.events: list[tuple[Work, Event]] = []
        self.threads: set[int] = set()

    def __call__(self, work: Work, event: Event) -> None:
        self.events.append((work, event))
        self.threads.add(threading.get_ident())

    def of(self, spec: RunSpec, kind: type[Kind]) -> list[Kind]:
        """Those of one run and one kind."""
        found = [event for work, event in self.events if isinstance(work, ExecuteRun) and work.spec == spec]
        return [event for event in found if isinstance(event, kind)]


@pytest.mark.fault("a killed worker")
@pytest.mark.usefixtures("installed")
def test_a_killed_worker_costs_one_run_which_resumes(tmp_path: Path) -> None:
    fatal = run_spec(strategy=plugged("fatal", marker=str(tmp_path / "marker")))
    specs = [run_spec(("a",)), fatal, run_spec(strategy=plugged("ammkd", C=0.6)), run_spec(strategy=plugged("absent"))]
    heard, context = Heard(), run_context(tmp_path, **FATAL)
    work: list[Work] = [*preparations(specs), *(ExecuteRun(spec=spec) for spec in specs)]
    Local().execute(work, Site(context.results, context.cache.root, "cpu", 2), heard)

    assert [len(heard.of(spec, Started)) for spec in specs] == [1] * 4
    assert [len(heard.of(spec, Finished)) for spec in specs] == [1, 0, 1, 1]
    assert [len(heard.of(spec, Crashed)) for spec in specs] == [0, 1, 0, 0]
    assert heard.of(fatal, Crashed)[0].reason == Signalled(signal="SIGKILL")
    assert len(heard.threads) == 2
    for spec, status in ((specs[0], "ok"), (specs[2], "ok"), (specs[3], "failed")):
        record = heard.of(spec, Finished)[0].record
        assert record.status == status
        stored = recorded(context.results, spec)
        assert stored is not None
        assert stored.model_dump(mode="json") == record.model_dump(mode="json")
        assert (record.device, record.threads) == ("cpu", 1)
    assert not record_path(context.results, "toys", fatal.run_id).exists()
    # Epochs and the last step of a run are reported, whatever the clock.
    assert [event.epoch for event in heard.of(specs[0], EpochFinished)] == [1, 2, 3]
    assert heard.of(specs[0], ProgressMade)[-1].progress.total > 0
    prepared = {work.label for work, event in heard.events if isinstance(work, PrepareTeacher) and isinstance(event, Started)}
    assert prepared == {"teacher a", "teacher b"}

    made: list[Progress] = []
    again = execute(fatal, replace(context, on_progress=made.append))
    assert again.status == "ok"
    assert [progress.done for progress in made if progress.stage == "train"] == list(range(7, 13))
    calm = execute(fatal, run_context(tmp_path / "calm", **FATAL))
    assert again.arrays_sha256 == calm.arrays_sha256


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_listener_ends_the_engine_and_is_not_lost(tmp_path: Path) -> None:
    """Otherwise the remaining runs would be missing without a word."""

    def on_event(work: Work, event: Event) -> None:  # noqa: ARG001
        raise OSError(f"no space left for {event.kind}")

    work = [ExecuteRun(spec=run_spec(())), ExecuteRun(spec=run_spec((), seed=1))]
    with pytest.raises(OSError, match="no space left for started"):
        Local().execute(work, Site(tmp_path / "results", tmp_path / "cache", "cpu", 1), on_event)


def test_silence_is_told_of_after_two_minutes_then_four(tmp_path: Path) -> None:
    """With the log that it prints to, and how to stop it where nothing does."""
    site, work, heard = Site(tmp_path / "results", tmp_path / "cache", "cpu", 1), ExecuteRun(spec=run_spec()), Heard()
    pool = _Pool([work], site, heard)
    worker = WorkerProcess(site)
    try:
        pool.busy[worker] = work
        for silent, told in ((119, 0), (121, 1), (239, 1), (245, 2), (480, 2), (500, 3)):
            worker.heard = time.monotonic() - silent
            pool._tell_of_silence()
            assert len(heard.events) == told
        pool.site = replace(site, timeout=9000.0)
        worker.heard = time.monotonic() - 1010
        pool._tell_of_silence()
    finally:
        worker.stop()
    texts = [event.message for _, event in heard.events if isinstance(event, Warned)]
    begins = f"{work.label}: no sign of life for 121 s; it prints to {log_path(site, work)}"
    assert texts[0] == f"{begins}; --timeout SECONDS, or `timeout` in the suite, stops such work"
    assert "for 1010 s" in texts[-1]
    assert "--timeout" not in texts[-1]


def test_as_many_processes_as_cores() -> None:
    assert default_jobs("cpu") == os.cpu_count()
    assert default_jobs("cuda") == default_jobs("cuda:1") == 1
    assert default_jobs("auto") == (1 if torch.cuda.is_available() else os.cpu_count())


@pytest.mark.parametrize(("jobs", "times"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3), (99, 4)])
def test_workers_share_studies_when_there_are_more_of_them(tmp_path: Path, jobs: int, times: int) -> None:
    """Three studies of four trials; runs are never shared."""
    found = [ServeStudy(study=study, storage="s") for study in studies(suite_of(tmp_path))]
    run = ExecuteRun(spec=run_spec())
    expected: list[Work] = [run, *(one for one in found for _ in range(times))]
    assert _repeated([run, *found], jobs) == expected
