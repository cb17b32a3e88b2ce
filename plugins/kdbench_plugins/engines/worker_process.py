"""A worker process on this machine, and the pipes to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from kdbench.contracts import Site, Work
from kdbench.engines.executor import THREADS
from kdbench.engines.messages import (
    EVENT,
    AnyEvent,
    Crashed,
    Done,
    Exited,
    Finished,
    Signalled,
    Started,
    TrialEnded,
    TrialStarted,
)
from kdbench.engines.worker import SITE

LOG_CHARACTERS = 4000  # bytes of a log's end that events carry


class WorkerProcess:
    """Executes pieces of work one after another, until it dies or is stopped."""

    def __init__(self, site: Site) -> None:
        # "a": the worker appends, independently of the position to which this process has read the file
        self.log: IO[bytes] = tempfile.TemporaryFile("a+b")  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kdbench.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | THREADS,
            text=True,
        )
        self._write(SITE.dump_json(site).decode())

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def execute(self, work: Work) -> Iterator[AnyEvent]:
        """The events of one piece of work, from Started to its end or Crashed; logs of failures are added."""
        self._write(work.model_dump_json())
        yield Started()
        trial: int | None = None
        assert self.process.stdout
        for line in self.process.stdout:
            event = EVENT.validate_json(line)
            match event:
                case Done():
                    return
                case TrialStarted():
                    trial = event.number
                case TrialEnded():
                    trial = None
                    if event.state == "failed":
                        event = event.model_copy(update={"log": self._log_tail()})
                case Finished() if event.record.status == "failed":
                    event = event.model_copy(update={"log": self._log_tail()})
            yield event
        code = self.process.wait()
        reason = Signalled(signal=signal.Signals(-code).name) if code < 0 else Exited(code=code)
        yield Crashed(reason=reason, trial=trial, log=self._log_tail())

    def stop(self) -> None:
        """Ends the process at once; checkpoints stay."""
        self.process.terminate()
        self.process.wait()

    def _log_tail(self) -> str:
        """The end of what the process wrote to standard error."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-LOG_CHARACTERS:]

    def _write(self, line: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process is gone; reading its events will report how
