"""A worker process: work comes in as JSON lines on standard input, events go out as JSON lines on standard output.

Plugins may fork, start pools and DataLoaders. Both pipes are therefore moved away from the standard streams, no lock of theirs
is held over a fork, and a forked child has neither of them. The worker leads a process group of its own, which ends with it.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading

from pydantic import TypeAdapter

from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.logs import flush, log_path
from kdbench.engines.messages import WORK, AnyEvent, AnyWork

SITE = TypeAdapter(Site)
STACKS = signal.SIGUSR1  # writes the stacks of all threads to the log


def main() -> None:
    """Executes work until standard input ends. The first line holds the site, each further line a piece of work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what to do about Ctrl-C
    requests, events = _moved(0, os.O_RDONLY), _moved(1, os.O_WRONLY)
    os.dup2(2, 1)  # output of libraries must not mix with the events
    os.register_at_fork(after_in_child=lambda: _close(requests, events))
    faulthandler.register(STACKS, all_threads=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a log shows where a killed run was
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, lines), daemon=True).start()
    site = SITE.validate_json(lines.get())

    def send(event: AnyEvent) -> None:
        flush()
        _write(events, f"{event.model_dump_json()}\n".encode())

    executor = Executor(site, send, log=lambda work: log_path(site, work))
    while True:
        work: AnyWork = WORK.validate_json(lines.get())
        executor.execute(work)


def _moved(number: int, mode: int) -> int:
    """A duplicate of a standard stream, which itself becomes empty. Programs that are started do not inherit it."""
    moved = os.dup(number)
    null = os.open(os.devnull, mode)
    os.dup2(null, number)
    os.close(null)
    return moved


def _close(*files: int) -> None:
    for file in files:
        os.close(file)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _listen(file: int, lines: queue.SimpleQueue[bytes]) -> None:
    rest = b""
    while block := os.read(file, 1 << 16):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            lines.put(line)
    os.killpg(0, signal.SIGKILL)  # the parent is gone: end at once with all children; the checkpoint is on disk


if __name__ == "__main__":
    main()
