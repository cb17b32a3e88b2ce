"""A worker: work comes in as JSON lines on standard input, events go out as JSON lines on standard output.

It imports what all work needs and then forks for each piece of work and each trial of a study, so that nothing a plugin does to
its process reaches another run. Where it must not fork, it executes one piece of work itself, and another worker the next.
Both pipes are moved away from the standard streams, because plugins print and start programs. The worker leads a process group,
which ends with it.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import select
import signal
import sys
import threading
import traceback
from functools import partial

from pydantic import TypeAdapter

from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.fork import Fork, may_fork
from kdbench.engines.logs import flush, log_path
from kdbench.engines.messages import WORK, AnyEvent, AnyWork, Crashed, Done, Exited, Signalled, WorkerFailed
from kdbench.errors import unexpected

SITE = TypeAdapter(Site)
STACKS = signal.SIGUSR1  # writes the stacks of all threads to the log
MORE, DONE = "more", "done"  # how a fork ends, before the libraries that it has loaded; another answer is an error
SLOW = ("torchvision", "timm", "open_clip", "scipy.stats")  # seconds to import; nothing else changes, and no thread starts


def main() -> None:
    """Executes work until standard input ends. The first line holds the site, each further line a piece of work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what to do about Ctrl-C
    requests, events = _Requests(_moved(0, os.O_RDONLY)), _moved(1, os.O_WRONLY)
    os.dup2(2, 1)  # output of libraries must not mix with the events
    faulthandler.register(STACKS, all_threads=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a log shows where a killed run was
    site = SITE.validate_json(requests.line())
    _import_early()
    while True:
        work = WORK.validate_json(requests.line())
        if may_fork():
            _send(events, _in_forks(work, site, requests, events))
        else:
            threading.Thread(target=requests.follow, daemon=True).start()
            executor = _executor(site, requests.file, events)
            while executor.execute_part(work):
                pass
            _send(events, Done(last=True))


class _Requests:
    """The lines of a pipe. When it ends, the parent is gone: this process ends at once with its group; checkpoints stay."""

    def __init__(self, file: int) -> None:
        self.file, self.rest = file, b""

    def line(self) -> bytes:
        """The next line."""
        while b"\n" not in self.rest:
            self._read()
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def until(self, other: int) -> None:
        """Returns when another pipe can be read."""
        while other not in select.select([other, self.file], [], [])[0]:
            self._read()

    def follow(self) -> None:
        """Reads on."""
        while True:
            self._read()

    def _read(self) -> None:
        block = os.read(self.file, 1 << 16)
        if not block:
            os.killpg(0, signal.SIGKILL)
        self.rest += block


def _import_early() -> None:
    """Imports what every run does, and what plugins do when they are loaded."""
    import torch._dynamo  # noqa: F401  torch does at the first step of an optimizer

    from kdbench.plugins.loading import HOOKS, installed
    from kdbench.runs import once, rehearse  # noqa: F401

    for kind in HOOKS:
        installed().offers(kind)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy all pages of what is shared


def _in_forks(work: AnyWork, site: Site, requests: _Requests, events: int) -> AnyEvent:
    """Executes work in forks, one for each trial of a study, and returns its last event."""

    def call() -> str:
        faulthandler.unregister(STACKS)
        faulthandler.register(STACKS, all_threads=True)
        try:
            more = _executor(site, requests.file, events).execute_part(work)
        except BaseException as error:  # an interrupt as well: with SIGINT ignored, a plugin raised it
            traceback.print_exc()
            return unexpected(error)
        finally:
            flush()
        return " ".join([MORE if more else DONE, *(name for name in SLOW if name in sys.modules)])

    while True:
        flush()
        fork = Fork(call)
        signal.signal(STACKS, partial(_pass_on, fork.process))
        requests.until(fork.file)
        signal.signal(STACKS, signal.SIG_IGN)
        answer, code = fork.end()
        if not answer:
            return Crashed(reason=Signalled(signal=signal.Signals(-code).name) if code < 0 else Exited(code=code))
        end, *loaded = answer.split()
        if end not in (MORE, DONE):
            return Crashed(reason=WorkerFailed(error=answer))
        for name in loaded:
            _share(name)
        if end == DONE:
            return Done()


def _share(name: str) -> None:
    """Imports a library that a fork needed, so that the next ones find it loaded."""
    if name in SLOW and name not in sys.modules:
        importlib.import_module(name)
        gc.freeze()


def _pass_on(process: int, number: int, _: object) -> None:
    os.kill(process, number)


def _executor(site: Site, requests: int, events: int) -> Executor:
    """The executor of this process, which may fork: a copy has neither pipe."""

    def send(event: AnyEvent) -> None:
        flush()
        _send(events, event)

    for file in (requests, events):
        os.register_at_fork(after_in_child=partial(os.close, file))
    return Executor(site, send, log=lambda work: log_path(site, work))


def _send(events: int, event: AnyEvent) -> None:
    content = f"{event.model_dump_json()}\n".encode()
    while content:
        content = content[os.write(events, content) :]


def _moved(number: int, mode: int) -> int:
    """A duplicate of a standard stream, which itself becomes empty. Programs that are started do not inherit it."""
    moved = os.dup(number)
    null = os.open(os.devnull, mode)
    os.dup2(null, number)
    os.close(null)
    return moved


if __name__ == "__main__":
    main()
