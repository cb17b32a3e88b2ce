"""A worker process: tasks come in as JSON lines on standard input, events go out as JSON lines on standard output."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from kdbench.engines.tasks import Executor


def main() -> None:
    """Serves until standard input ends. The first line holds the settings, each further line a task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what to do
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not get between the events
    settings = json.loads(sys.stdin.readline())
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    executor = Executor(settings, lambda event: print(json.dumps(event), file=out))
    while True:
        executor.serve(tasks.get())


def _listen(tasks: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)  # the parent is gone, however it went: leave at once, the checkpoint is on disk


if __name__ == "__main__":
    main()
