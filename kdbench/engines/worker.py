"""A worker process: work comes in as JSON lines on standard input, events go out as JSON lines on standard output."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

from pydantic import TypeAdapter

from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.messages import WORK, AnyWork

SITE = TypeAdapter(Site)


def main() -> None:
    """Executes work until standard input ends. The first line holds the site, each further line a piece of work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what to do
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries must not mix with the events
    site = SITE.validate_json(sys.stdin.readline())
    waiting: queue.Queue[AnyWork] = queue.Queue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()
    executor = Executor(site, lambda event: print(event.model_dump_json(), file=out))
    while True:
        executor.execute(waiting.get())


def _listen(waiting: queue.Queue[AnyWork]) -> None:
    for line in sys.stdin:
        waiting.put(WORK.validate_json(line))
    os._exit(0)  # the parent is gone: exit at once, the checkpoint is on disk


if __name__ == "__main__":
    main()
