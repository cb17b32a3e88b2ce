"""Submits work to a Ray cluster, receives its events, and retries lost work. Ray itself is passed in, not imported.

Retries are counted here, not by Ray, which would repeat a run that exhausts the memory for ever.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.contracts import Event, Site, Work
from kdbench.engines.logs import log_path, log_tail
from kdbench.engines.messages import (
    EVENT,
    AnyEvent,
    Crashed,
    EpochFinished,
    ExecuteRun,
    Finished,
    Lost,
    ProgressMade,
    ServeStudy,
    Started,
    TimedOut,
    TrialEnded,
    TrialStarted,
    Waiting,
    Warned,
    WorkerFailed,
    Working,
)
from kdbench.errors import KdbenchError

TRIES = 3  # tries of work that ends its process, without any progress in between
POLL_SECONDS = 0.3
LOG_CHARACTERS = 4000  # bytes of a log's end that events carry


@dataclass(eq=False)
class Job:
    """A piece of work on the cluster, and its state."""

    work: Work
    log: Path
    waits: list[Any] = field(default_factory=list)  # references that its latest try waits for
    started: bool = False
    begun: float | None = None  # when its latest try, or the trial that it executes, began to work or resumed after waiting
    worked: float = 0.0  # seconds before that
    expired: bool = False  # it took too long
    epoch: int = 0  # the last one that was passed to `on_event`
    trial: int | None = None  # that a worker executes
    lost: int = 0  # tries in a row without progress
    furthest: int = 0  # step of training
    furthest_when_lost: int = 0

    def seconds(self) -> float:
        """How long its latest try, or the trial that it executes, has worked, without waiting for other processes."""
        return self.worked + (0.0 if self.begun is None else time.monotonic() - self.begun)

    def log_tail(self) -> str:
        """The end of the work's log; empty if it never started."""
        return log_tail(self.log, LOG_CHARACTERS)

    def forget_log(self) -> None:
        """Removes the log of a teacher or rehearsal. Those of runs and studies stay beside the records."""
        if not isinstance(self.work, ExecuteRun | ServeStudy):
            self.log.unlink(missing_ok=True)


class Driver:
    """Submits jobs to the cluster, at most `site.jobs` at a time if given.

    `submit(work, log, number, waits)` returns a reference to the JSON of a run's Finished, or to "". `mailbox` is an actor
    whose `take` returns pairs of a number and the JSON of an event.
    """

    def __init__(
        self,
        ray: Any,
        submit: Callable[[Work, Path, int, list[Any]], Any],
        mailbox: Any,
        work: Sequence[Work],
        site: Site,
        on_event: Callable[[Work, Event], None],
    ) -> None:
        self.ray, self.submit, self.mailbox, self.site, self.on_event = ray, submit, mailbox, site, on_event
        self.waiting = deque(Job(one, log_path(site, one)) for one in work)
        self.needed = {key for one in work for key in one.needs}
        self.pending: dict[Any, Job] = {}
        self.prepared: dict[str, Any] = {}  # the latest try of what others need, by key
        self.broken: set[Any] = set()  # tries of those that were lost

    def follow(self) -> None:
        """Submits all jobs and returns when all have ended."""
        while self.waiting or self.pending:
            while self.waiting and len(self.pending) < (self.site.jobs or len(self.pending) + 1):
                self._submit(self.waiting.popleft())
            ready, _ = self.ray.wait(list(self.pending), num_returns=1, timeout=POLL_SECONDS)
            self._listen()
            self._stop_what_is_late()
            for ref in ready:
                if ref in self.pending:  # or it has ended with one that waited for it
                    self._end(ref)

    def cancel(self) -> None:
        """Cancels pending jobs; checkpoints stay."""
        for ref, job in self.pending.items():
            with suppress(Exception):  # the cluster may be what has failed
                self.ray.cancel(ref, force=True)
            job.forget_log()
        with suppress(Exception):
            self.ray.kill(self.mailbox)

    def _stop_what_is_late(self) -> None:
        """Cancels jobs that have taken longer than the site's `timeout`, counted per trial of a study."""
        for ref, job in list(self.pending.items()):
            if self.site.timeout is not None and job.seconds() > self.site.timeout:
                job.begun, job.worked, job.expired = None, 0.0, True
                with suppress(Exception):  # it may just have ended
                    self.ray.cancel(ref, force=True)

    def _submit(self, job: Job) -> None:
        job.begun, job.worked = None, 0.0
        job.waits = [self.prepared[key] for key in job.work.needs if key in self.prepared]
        ref = self.submit(job.work, job.log, id(job), job.waits)
        self.pending[ref] = job
        if job.work.key in self.needed:
            self.prepared[job.work.key] = ref

    def _listen(self) -> None:
        jobs = {id(job): job for job in self.pending.values()}
        for number, text in self.ray.get(self.mailbox.take.remote()):
            job = jobs.get(number)
            if job is not None:
                self._hear(job, EVENT.validate_json(text))

    def _hear(self, job: Job, event: AnyEvent) -> None:
        match event:
            case Started():
                if job.started:
                    return
                job.started = True
            case Working():
                job.begun = time.monotonic()
                return
            case Waiting():
                job.worked, job.begun = job.seconds(), None
                return
            case ProgressMade() if event.progress.stage == "train":
                job.furthest = max(job.furthest, event.progress.done)
            case TrialStarted():
                job.trial, job.begun, job.worked = event.number, time.monotonic(), 0.0
            case TrialEnded():
                job.trial = None
                job.lost = job.furthest = job.furthest_when_lost = 0
                if event.state == "failed":
                    event = event.model_copy(update={"log": job.log_tail()})
            case EpochFinished() if isinstance(job.work, ExecuteRun):
                # A run that was tried again repeats what came after its checkpoint, to the bit.
                if event.epoch <= job.epoch:
                    return
                job.epoch = event.epoch
        self.on_event(job.work, event)

    def _end(self, ref: Any) -> None:
        job = self.pending.pop(ref)
        errors = self.ray.exceptions
        if job.expired:
            self._give_up(job, ref, Crashed(reason=TimedOut(seconds=self.site.timeout or 0), trial=job.trial))
            return
        try:
            self._finish(job, self.ray.get(ref))
        except KdbenchError as error:  # Ray raises the task's own error: a node cannot work at all
            raise KdbenchError(str(getattr(error, "cause", error))) from None
        except (errors.RayTaskError, errors.TaskCancelledError, errors.RuntimeEnvSetupError) as error:
            if not self._resubmitted(job):
                self._give_up(job, ref, Crashed(reason=WorkerFailed(error=first_line(error))))
        except errors.RayError as error:
            if not self._resubmitted(job):
                self._try_again(job, ref, error)

    def _resubmitted(self, job: Job) -> bool:
        """Whether a job failed only because it waited for a lost one. It is submitted again, and the try does not count."""
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
        job.lost = 1 if job.furthest > job.furthest_when_lost else job.lost + 1
        job.furthest_when_lost = job.furthest
        if job.lost >= TRIES:
            lost = Lost(times=job.lost, error=first_line(error))
            self._give_up(job, ref, Crashed(reason=lost, trial=job.trial))
            return
        if job.work.key in self.needed:
            self.broken.add(ref)
        text = f"{job.work.label}: its process or node was lost ({first_line(error)}); it resumes from its last checkpoint"
        self.on_event(job.work, Warned(message=text))
        self._submit(job)

    def _give_up(self, job: Job, ref: Any, crash: Crashed) -> None:
        if job.work.key in self.needed:
            self.broken.add(ref)
            self.prepared.pop(job.work.key, None)  # every run that needs it computes it itself, or records why it cannot
        self.on_event(job.work, crash.model_copy(update={"log": job.log_tail()}))
        job.forget_log()

    def _finish(self, job: Job, text: str) -> None:
        if text:
            finished = Finished.model_validate_json(text)
            log = job.log_tail() if finished.record.status == "failed" else ""
            self.on_event(job.work, finished.model_copy(update={"log": log}))
        job.forget_log()


def first_line(error: Exception) -> str:
    """The type and the first line of an error, or of the one that caused it."""
    cause = getattr(error, "cause", None) or error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__
