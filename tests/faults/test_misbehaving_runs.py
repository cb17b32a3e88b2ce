"""Runs whose plugins change their process, exhaust it or end it: the next run of their worker is as if they had not been.

All of them, in one worker. After each, a clean run gives the same retrieval ranks to the bit as the one before all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdbench.contracts import Site
from kdbench.engines.logs import log_path
from kdbench.engines.messages import AnyEvent, Crashed, ExecuteRun, Exited, Finished, WorkerFailed
from kdbench.errors import LESS_MEMORY
from kdbench.records.files import record_path
from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec
from kdbench_plugins.engines.worker_process import LOG_CHARACTERS, WorkerProcess
from tests.support.distributions import installed
from tests.support.toys import plugged, run_spec

MISCHIEF = """
import locale, os, random, resource, signal, subprocess, sys, tempfile, threading, time
import numpy, torch
import kdbench.tasks.retrieval.metrics
from kdbench import Offer
from tests.support.toys import Toys

def generator():
    torch.manual_seed = torch.random.manual_seed = lambda seed: None
    torch.randperm = lambda count, **_: torch.arange(count)
    random.seed(1), numpy.random.seed(1)

def threads():
    torch.set_num_threads(3)

def settings():
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")

def folder():
    with tempfile.TemporaryDirectory() as gone:
        os.chdir(gone)

def environment():
    os.environ.clear()
    sys.path.clear()
    locale.setlocale(locale.LC_ALL, "C")

def signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_: os._exit(4))

def recall():
    for module in [one for name, one in sys.modules.items() if name.startswith("kdbench.")]:
        if hasattr(module, "recall"):
            module.recall = lambda ranks, *_: 100.0

def memory():
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (2 * pages * resource.getpagesize(), resource.getrlimit(resource.RLIMIT_AS)[1]))
    torch.empty(2**40)

def array():
    bytearray(2**62)

def prints():
    for _ in range(100):
        print("x" * 2**20)
    raise ValueError("after 100 MB")

def leaves():
    subprocess.Popen(["sleep", "3600"], start_new_session=True)
    threading.Thread(target=time.sleep, args=(3600,)).start()

def interrupts():
    raise KeyboardInterrupt("by a plugin")

def ends():
    os._exit(0)

class Mischief:
    def __init__(self, *, kind: str) -> None:
        self.kind = kind
    def weigh(self, signal):
        globals()[self.kind]()
        return torch.full((len(signal.teachers),), 0.5)

MISCHIEF = Toys(strategies=[Offer("mischief", Mischief)])
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, every run has a worker of its own")
BRIEF = {"epochs": 1, "batch_size": 24}


class Bench:
    """One worker, with a clean run that it executes again and again."""

    def __init__(self, site: Site) -> None:
        self.site, self.worker = site, WorkerProcess(site)
        self.first = self.clean()

    def last(self, spec: RunSpec) -> AnyEvent:
        *_, last = self.worker.execute(ExecuteRun(spec=spec))
        return last

    def clean(self) -> Record:
        spec = run_spec(("a",), train=BRIEF)
        record_path(self.site.results, spec.suite, spec.run_id).unlink(missing_ok=True)
        finished = self.last(spec)
        assert isinstance(finished, Finished)
        assert finished.record.status == "ok", finished.record.reason
        return finished.record


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Its worker has the strategies above for plugins."""
    folder = tmp_path_factory.mktemp("mischief")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", installed(folder / "site", "mischief:MISCHIEF", MISCHIEF))
        made = Bench(Site(folder / "results", folder / "cache", "cpu"))
    yield made
    made.worker.stop()


def failed(reason: str) -> Callable[[AnyEvent], bool]:
    return lambda event: isinstance(event, Finished) and event.record.status == "failed" and reason in event.record.reason


def crashed(reason: object) -> Callable[[AnyEvent], bool]:
    return lambda event: isinstance(event, Crashed) and event.reason == reason


def finished(event: AnyEvent) -> bool:
    return isinstance(event, Finished)


KINDS: dict[str, Callable[[AnyEvent], bool]] = {
    "generator": finished,
    "threads": finished,
    "settings": finished,
    "folder": finished,
    "environment": finished,
    "signals": finished,
    "recall": finished,
    "memory": failed(f"the memory is exhausted: {LESS_MEMORY}"),
    "array": failed(f"MemoryError: ; the memory is exhausted: {LESS_MEMORY}"),
    "prints": failed("after 100 MB"),
    "leaves": finished,
    "interrupts": crashed(WorkerFailed(error="KeyboardInterrupt: by a plugin")),
    "ends": crashed(Exited(code=0)),
}


@pytest.mark.fault("a plugin that changes, exhausts or ends its process")
@pytest.mark.parametrize("kind", KINDS)
def test_the_next_run_is_as_if_it_had_not_been(bench: Bench, kind: str) -> None:
    spec = run_spec(strategy=plugged("mischief", kind=kind), train=BRIEF)
    event = bench.last(spec)
    assert KINDS[kind](event), event
    if kind == "prints":
        assert isinstance(event, Finished)
        log = log_path(bench.site, ExecuteRun(spec=spec))
        assert log.stat().st_size > 100 * 2**20
        assert len(event.log) == LOG_CHARACTERS
        log.unlink()
    again = bench.clean()
    assert again.arrays_sha256 == bench.first.arrays_sha256
    assert (again.metrics, again.threads, again.warnings) == (bench.first.metrics, 1, bench.first.warnings)
    assert not bench.worker.ended
    assert not children_of(bench.worker.process.pid)


@pytest.mark.faults
@pytest.mark.fault("a leak over 500 runs of one worker", times=500)
def test_a_worker_holds_after_500_runs_what_it_held_after_20(bench: Bench) -> None:
    def held() -> tuple[int, int]:
        worker = Path(f"/proc/{bench.worker.process.pid}")
        pages = int((worker / "statm").read_text().split()[1])
        return len(list((worker / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")

    for _ in range(20):
        bench.clean()
    files, resident = held()
    for _ in range(480):
        assert bench.clean().arrays_sha256 == bench.first.arrays_sha256
    assert held()[0] == files
    assert held()[1] < resident + 2**23, "8 MB more"


def children_of(process: int) -> str:
    """The children of a process between two pieces of work."""
    return Path(f"/proc/{process}/task/{process}/children").read_text()
