"""Hands tasks to a Ray cluster, listens to them, and tries again what was lost. Ray itself is given, not imported.

Tries are counted here and not by Ray, which would repeat a run that runs out of memory for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.engines.tasks import Event, Task
from kdbench.errors import KdbenchError
from kdbench.storage.digest import digest_of
from kdbench.suite.plan import RunSpec
from kdbench.tuning.study import Study

TRIES = 3  # of a task that ends its process without getting any further
POLL_SECONDS = 0.3


@dataclass(eq=False)
class Job:
    """A task and how far it has come."""

    about: RunSpec | Study | None
    task: Task
    needs: list[str] = field(default_factory=list)  # preparations that it waits for
    key: str = ""  # of a preparation
    waits: list[Any] = field(default_factory=list)  # what its latest try was given to wait for
    started: bool = False
    epoch: int = 0  # that was told last
    lost: int = 0  # tries that came to nothing, one after the other
    furthest: int = 0  # step that was heard of
    furthest_then: int = 0  # when its process was last lost


class Driver:
    """Hands jobs to the cluster, listens, and tries again what was lost."""

    def __init__(
        self,
        ray: Any,
        submit: Callable[[Task, str, int, list[Any]], Any],
        mailbox: Any,
        jobs: list[Job],
        at_once: int | None,
        logs: Path,
        on_event: Callable[[Any, Event], None],
    ) -> None:
        """`submit(task, name, number of its letters, what it waits for)` gives the ObjectRef of its last event."""
        self.ray, self.submit, self.mailbox = ray, submit, mailbox
        self.waiting, self.at_once, self.logs, self.on_event = deque(jobs), at_once, logs, on_event
        self.pending: dict[Any, Job] = {}
        self.prepared: dict[str, Any] = {}  # by need: the latest try
        self.broken: set[Any] = set()  # tries of preparations that were lost

    def follow(self) -> None:
        """Returns when all jobs have ended."""
        while self.waiting or self.pending:
            while self.waiting and len(self.pending) < (self.at_once or len(self.pending) + 1):
                self._submit(self.waiting.popleft())
            ready, _ = self.ray.wait(list(self.pending), num_returns=1, timeout=POLL_SECONDS)
            self._listen()
            for ref in ready:
                if ref in self.pending:  # or it has ended with one that waited for it
                    self._end(ref)

    def cancel(self) -> None:
        """Ends what is at work; checkpoints stay."""
        for ref, job in self.pending.items():
            with suppress(Exception):  # on the way out: the cluster may be what has failed
                self.ray.cancel(ref, force=True)
            _log(job).unlink(missing_ok=True)
        with suppress(Exception):
            self.ray.kill(self.mailbox)

    def _submit(self, job: Job) -> None:
        job.task["log"] = str(self.logs / f"{_id(job)}.log")
        job.waits = [self.prepared[key] for key in job.needs if key in self.prepared]
        ref = self.submit(job.task, _name(job), id(job), job.waits)
        self.pending[ref] = job
        if job.key:
            self.prepared[job.key] = ref

    def _listen(self) -> None:
        jobs = {id(job): job for job in self.pending.values()}
        for number, event in self.ray.get(self.mailbox.take.remote()):
            job = jobs.get(number)
            if job is not None:
                self._hear(job, event)

    def _hear(self, job: Job, event: Event) -> None:
        if event["event"] == "heard":
            return
        if event["event"] == "started":
            if job.started or job.about is None:
                return
            job.started = True
        if event["event"] == "progress" and event["progress"]["stage"] == "train":
            job.furthest = max(job.furthest, event["progress"]["done"])
        if event["event"] == "trial_ended":
            job.lost = job.furthest = job.furthest_then = 0
            event["log"] = _log_tail(job) if event["state"] == "failed" else ""
        if event["event"] == "epoch" and isinstance(job.about, RunSpec):
            # A run that was tried again repeats what came after its checkpoint, to the bit.
            if event["epoch"] <= job.epoch:
                return
            job.epoch = event["epoch"]
        self.on_event(job.about, event)

    def _end(self, ref: Any) -> None:
        job = self.pending.pop(ref)
        errors = self.ray.exceptions
        try:
            self._finish(job, self.ray.get(ref))
        except KdbenchError as error:  # Ray raises what a task raised: a node cannot work at all
            raise KdbenchError(str(getattr(error, "cause", error))) from None
        except (errors.RayTaskError, errors.TaskCancelledError, errors.RuntimeEnvSetupError) as error:
            if not self._blameless(job):
                self._give_up(job, ref, f"the worker failed: {first_line(error)}")
        except errors.RayError as error:
            if not self._blameless(job):
                self._try_again(job, ref, error)

    def _blameless(self, job: Job) -> bool:
        """A run that waited for a preparation that was lost fails with its error; it is handed over anew."""
        if job.waits:
            self._listen()
            ready, _ = self.ray.wait(job.waits, num_returns=len(job.waits), timeout=0)
            for ref in ready:
                if ref in self.pending:
                    self._end(ref)
        blameless = any(ref in self.broken for ref in job.waits)
        if blameless:
            self._submit(job)
        return blameless

    def _try_again(self, job: Job, ref: Any, error: Exception) -> None:
        job.lost = 1 if job.furthest > job.furthest_then else job.lost + 1
        job.furthest_then = job.furthest
        if job.lost >= TRIES:
            why = f"its process was lost {job.lost} times at the same place ({first_line(error)})"
            self._give_up(job, ref, f"{why}; its checkpoint is kept, run again to go on")
            return
        if job.key:
            self.broken.add(ref)
        text = f"{_name(job)}: its process or node was lost ({first_line(error)}); it goes on from its last checkpoint"
        self.on_event(job.about, {"event": "warning", "message": text})
        self._submit(job)

    def _give_up(self, job: Job, ref: Any, reason: str) -> None:
        if job.key:
            self.broken.add(ref)
            self.prepared.pop(job.key, None)  # every run that needs this teacher will make it itself, or record why not
        self.on_event(job.about, {"event": "crashed", "reason": reason, "log": _log_tail(job)})
        _log(job).unlink(missing_ok=True)

    def _finish(self, job: Job, event: Event) -> None:
        if "record" in event:
            log = _log_tail(job) if event["record"]["status"] == "failed" else ""
            self.on_event(job.about, {"event": "finished", "record": event["record"], "log": log})
        _log(job).unlink(missing_ok=True)


def _name(job: Job) -> str:
    return job.about.label if job.about else f"teacher {job.task['id']}"


def _id(job: Job) -> str:
    if job.about is None:
        return digest_of(job.key)[:12]
    return job.about.run_id if isinstance(job.about, RunSpec) else job.about.digest


def _log(job: Job) -> Path:
    return Path(job.task["log"])


def _log_tail(job: Job) -> str:
    """The end of what the task printed."""
    try:
        return _log(job).read_bytes().decode(errors="replace")[-4000:]
    except OSError:  # it never came to start
        return ""


def first_line(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__
