"""A worker process on this machine with its children, and the pipes to it."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from kdbench.contracts import Site, Work
from kdbench.engines.executor import THREADS
from kdbench.engines.logs import file_tail, log_path, log_tail
from kdbench.engines.messages import (
    EVENT,
    AnyEvent,
    Crashed,
    Done,
    Exited,
    Finished,
    Signalled,
    Started,
    TimedOut,
    TrialEnded,
    TrialStarted,
    Waiting,
    Working,
)
from kdbench.engines.worker import SITE, STACKS
from kdbench.plugins.same_path import python_with_same_path

LOG_CHARACTERS = 4000  # bytes of a log's end that events carry
START_SECONDS = 300.0  # that a worker may take, beyond the time limit, to start: importing torch and all plugins
STACK_SECONDS = 0.5  # given to a worker that is stopped, to write its stacks to the log


class WorkerProcess:
    """Executes pieces of work one after another, until it dies or is stopped. It leads a process group, killed as a whole."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.heard = time.monotonic()  # when the last event came
        self.expired = False
        # What it prints between pieces of work, such as why it cannot start. "a": the worker appends, independently of the
        # position to which this process has read the file.
        self.log: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            python_with_same_path("kdbench.engines.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | THREADS,
            text=True,
            start_new_session=True,
        )
        self._write(SITE.dump_json(site).decode())

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def execute(self, work: Work) -> Iterator[AnyEvent]:
        """The events of one piece of work, from Started to its end or Crashed; logs of failures are added.

        Work that takes longer than the site's `timeout`, counted per trial of a study, is stopped with the worker. Time in
        which it waits for other processes does not count.
        """
        self.heard = time.monotonic()
        yield Started()
        self._write(work.model_dump_json())
        trial: int | None = None
        finished = False
        limit = self.site.timeout or 0.0
        left = limit
        since: float | None = None  # when it went on working; None while it waits
        timer = self._timer(limit + START_SECONDS)
        assert self.process.stdout
        try:
            for line in self.process.stdout:
                event = EVENT.validate_json(line)
                self.heard = time.monotonic()
                match event:
                    case Done():
                        if event.last:
                            self.stop()
                        return
                    case Crashed():  # a fork of the worker; the worker stays
                        if not finished:
                            yield event.model_copy(update={"trial": trial, "log": self._log_tail(work)})
                        return
                    case Working():
                        timer.cancel()
                        timer, since = self._timer(left), time.monotonic()
                        continue
                    case Waiting():
                        timer.cancel()
                        left -= time.monotonic() - since if since is not None else 0.0
                        since = None
                        continue
                    case TrialStarted():
                        trial = event.number
                        timer.cancel()
                        timer, left, since = self._timer(limit), limit, time.monotonic()
                    case TrialEnded():
                        trial = None
                        timer.cancel()  # until the next one is claimed
                        left, since = limit, None
                        if event.state == "failed":
                            event = event.model_copy(update={"log": self._log_tail(work)})
                    case Finished():
                        finished = True
                        if event.record.status == "failed":
                            event = event.model_copy(update={"log": self._log_tail(work)})
                yield event
        finally:
            timer.cancel()
            if self.expired:
                timer.join()  # it kills this process: not during the next piece of work
                self.process.wait()
        if not finished:
            yield Crashed(reason=self._death(), trial=trial, log=self._log_tail(work))

    def stop(self) -> None:
        """Ends the process and its children at once; checkpoints stay."""
        self._kill()
        self.process.wait()

    def _timer(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(max(0.0, seconds), self._expire)
        timer.daemon = True
        if self.site.timeout is not None:
            timer.start()
        return timer

    def _expire(self) -> None:
        self.expired = True
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, STACKS)  # it has not been waited for: the number is still its own
            time.sleep(STACK_SECONDS)
        self._kill()

    def _kill(self) -> None:
        """Kills the group. It exists until the leader has been waited for, so that no other process can have its number."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _death(self) -> Signalled | Exited | TimedOut:
        """How the process ended. Children that outlive it are killed."""
        if hasattr(os, "waitid") and self.process.returncode is None:  # macOS has it from Python 3.13 on
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self._kill()
        code = self.process.wait()
        if self.expired and self.site.timeout is not None:
            return TimedOut(seconds=self.site.timeout)
        return Signalled(signal=signal.Signals(-code).name) if code < 0 else Exited(code=code)

    def _log_tail(self, work: Work) -> str:
        """The end of what the process has written, for this work or, if it has not begun, since its start."""
        started = file_tail(self.log, LOG_CHARACTERS)
        return (started + log_tail(log_path(self.site, work), LOG_CHARACTERS))[-LOG_CHARACTERS:]

    def _write(self, line: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process is gone; reading its events will report how
