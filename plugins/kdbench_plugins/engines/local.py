"""Runs tasks in worker processes on this machine: one torch thread each, a crash costs one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from kdbench.engines.tasks import THREADS, Event, Task, preparations
from kdbench.records.provenance import resolved_device
from kdbench.suite.plan import RunSpec
from kdbench.tuning.study import Study

About = RunSpec | Study | None
Work = tuple[About, Task]  # what it is about, and the message to a worker


@dataclass
class LocalEngine:
    """Executes run specs and studies with `jobs` processes and tells `on_event(what it is about, event)` what happens.

    Events: started, progress, epoch, warning, finished (with `record`), crashed (with `reason` and `log`); of studies also
    trial and trial_ended, see `kdbench.tuning.serve`. What concerns a teacher's preparation is about None.
    """

    results: Path
    cache: Path
    device: str
    jobs: int
    on_event: Callable[[Any, Event], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _workers: list[_Process] = field(default_factory=list)
    _stopping: bool = False
    _error: BaseException | None = None

    def run(self, specs: list[RunSpec]) -> None:
        """Returns when every spec has ended. An interrupt ends the workers at once; what they saved stays."""
        self._carry_out([*_ahead(specs), *((spec, {"task": "run", "spec": spec.as_dict()}) for spec in specs)])

    def serve(self, studies: list[Study], storage: str) -> None:
        """Returns when no trial of the studies is left that a worker could take up.

        A process serves a study to its end before it turns to another: with no more processes than studies, each study has
        one at a time, and what its sampler draws does not depend on who was faster.
        """
        times = -(-min(self.jobs, sum(study.how.trials for study in studies)) // max(1, len(studies)))
        messages: list[Work] = [
            (study, {"task": "study", "study": study.as_dict(), "storage": storage}) for study in studies for _ in range(times)
        ]
        self._carry_out([*_ahead([RunSpec(**study.spec) for study in studies]), *messages])

    def _carry_out(self, messages: list[Work]) -> None:
        tasks = deque(messages)
        threads = [threading.Thread(target=self._serve, args=(tasks,), daemon=True) for _ in range(min(self.jobs, len(tasks)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():  # a join without a time limit would keep Ctrl-C waiting
                    thread.join(0.2)
        finally:
            self._stopping = True
            for worker in self._workers:
                worker.stop()
        if self._error is not None:
            raise self._error

    def _serve(self, tasks: deque[Work]) -> None:
        try:
            self._serve_all(tasks)
        except BaseException as error:  # a thread's errors would otherwise be lost; `run` raises it
            self._error, self._stopping = self._error or error, True
            for worker in self._workers:
                worker.stop()

    def _serve_all(self, tasks: deque[Work]) -> None:
        worker: _Process | None = None
        while not self._stopping:
            try:
                about, message = tasks.popleft()
            except IndexError:
                break
            if worker is None or worker.ended:
                worker = _Process(self)
                self._workers.append(worker)
            if about is not None:
                self._tell(about, {"event": "started"})
            self._follow(worker, message, about)
        if worker:
            worker.stop()

    def _follow(self, worker: _Process, message: dict[str, Any], about: About) -> None:
        number: int | None = None  # of the trial that the worker is on
        for event in worker.ask(message):
            if event["event"] == "trial":
                number = event["number"]
            elif event["event"] == "trial_ended":
                number = None
                event["log"] = worker.log_tail() if event["state"] == "failed" else ""
            if event["event"] != "done":
                self._tell(about, event)
            elif "record" in event:
                log = worker.log_tail() if event["record"]["status"] == "failed" else ""
                self._tell(about, {"event": "finished", "record": event["record"], "log": log})
        if worker.ended and not self._stopping:
            crash = {"event": "crashed", "reason": worker.epitaph(), "log": worker.log_tail()}
            self._tell(about, crash if number is None else {**crash, "number": number})

    def _tell(self, about: About, event: Event) -> None:
        with self._lock:
            self.on_event(about, event)


class _Process:
    """A worker and the line to it."""

    def __init__(self, engine: LocalEngine) -> None:
        # "a": the worker writes at the end, wherever this end of the shared file has been read
        self.log: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kdbench.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | THREADS,
            text=True,
        )
        settings = {"results": str(engine.results), "cache": str(engine.cache), "device": engine.device}
        self._write(settings)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def ask(self, task: dict[str, Any]) -> Any:
        """Yields the events of one task, the last being `done` unless the process dies first."""
        self._write(task)
        assert self.process.stdout
        for line in self.process.stdout:
            event = json.loads(line)
            yield event
            if event["event"] == "done":
                return
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def epitaph(self) -> str:
        code = self.process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"the worker process died ({how}); its checkpoint is kept, run again to go on"

    def log_tail(self) -> str:
        """The end of what the process wrote to standard error."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process is gone; reading its events will show how


def _ahead(specs: list[RunSpec]) -> list[Work]:
    return [(None, message) for message in preparations(specs).values()]


def default_jobs(device: str) -> int:
    """As many processes as cores on the CPU, one on a GPU."""
    return (os.cpu_count() or 1) if resolved_device(device) == "cpu" else 1
