"""`local`: worker processes on this machine with one torch thread each; what a run does to its process affects it alone."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kdbench import Offer, hookimpl
from kdbench.contracts import Engine, Event, Site, Work

if TYPE_CHECKING:
    from kdbench_plugins.engines.worker_process import WorkerProcess

SILENT_SECONDS = 120.0


class Local:
    """Executes `site.jobs` pieces of work at a time; by default one per core on a CPU, one on a GPU."""

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        jobs = site.jobs or default_jobs(site.device)
        _Pool(_repeated(work, jobs), site, on_event).execute(jobs)


def default_jobs(device: str) -> int:
    """Worker processes for a device as `--device` names it."""
    from kdbench.records.provenance import resolved_device

    return (os.cpu_count() or 1) if resolved_device(device) == "cpu" else 1


def _repeated(work: Sequence[Work], jobs: int) -> list[Work]:
    """The work with pieces that several workers may share repeated, once per worker.

    A worker completes a study before it starts another. With no more workers than studies, each study has one worker at a
    time, and its sampler's draws do not depend on the workers' speed.
    """
    shared = [one for one in work if one.workers > 1]
    times = -(-min(jobs, sum(one.workers for one in shared)) // max(1, len(shared)))
    return [one for one in work for _ in range(times if one.workers > 1 else 1)]


class _Pool:
    """The worker processes of one call, each with a thread that receives its events."""

    def __init__(self, work: list[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        self.waiting, self.site, self.on_event = deque(work), site, on_event
        self.workers: list[WorkerProcess] = []
        self.busy: dict[WorkerProcess, Work] = {}
        self.silence: dict[WorkerProcess, float] = {}  # seconds without an event after which the next warning is due
        self.lock = threading.Lock()  # one thread at a time calls `on_event`
        self.stopping = False
        self.error: BaseException | None = None

    def execute(self, jobs: int) -> None:
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(min(jobs, len(self.waiting)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():  # a join without a time limit would keep Ctrl-C waiting
                    thread.join(0.2)
                    self._tell_of_silence()
        finally:
            self._stop()
        if self.error is not None:
            raise self.error

    def _tell_of_silence(self) -> None:
        """Warns of work that has sent no event for two minutes, then four, eight and so on."""
        from kdbench.engines.logs import log_path  # here: offering an engine reads no records
        from kdbench.engines.messages import Warned

        for worker, work in list(self.busy.items()):
            silent = time.monotonic() - worker.heard
            if silent >= self.silence.get(worker, SILENT_SECONDS) and not self.stopping:
                self.silence[worker] = 2 * silent
                limit = (
                    "" if self.site.timeout is not None else "; --timeout SECONDS, or `timeout` in the suite, stops such work"
                )
                text = f"{work.label}: no sign of life for {silent:.0f} s; it prints to {log_path(self.site, work)}{limit}"
                with self.lock:
                    self.on_event(work, Warned(message=text))

    def _stop(self) -> None:
        self.stopping = True
        for worker in self.workers:
            worker.stop()

    def _serve(self) -> None:
        try:
            self._serve_all()
        except BaseException as error:  # an error of a thread would be lost; `execute` raises it
            self.error = self.error or error
            self._stop()

    def _serve_all(self) -> None:
        from kdbench_plugins.engines.worker_process import WorkerProcess

        worker: WorkerProcess | None = None
        while not self.stopping:
            try:
                work = self.waiting.popleft()
            except IndexError:
                break
            if worker is None or worker.ended:
                worker = WorkerProcess(self.site)
                self.workers.append(worker)
            self.silence.pop(worker, None)
            for event in worker.execute(work):
                self.busy[worker] = work
                if not (self.stopping and event.kind == "crashed"):  # its end is ours
                    with self.lock:
                        self.on_event(work, event)
            self.busy.pop(worker, None)
        if worker:
            worker.stop()


@hookimpl
def kdbench_engines() -> list[Offer[Engine]]:
    return [Offer("local", Local, "worker processes on this machine")]
