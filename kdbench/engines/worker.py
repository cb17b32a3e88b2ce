"""A worker process: tasks come in as JSON lines on standard input, events go out as JSON lines on standard output."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from kdbench.contracts import Progress
from kdbench.errors import KdbenchError, KdbenchWarning, Skip

PROGRESS_SECONDS = 0.5


def main() -> None:
    """Serves until standard input ends. The first line holds the settings, each further line a task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what to do
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not get between the events
    settings = json.loads(sys.stdin.readline())
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    worker = _Worker(settings, out)
    while True:
        worker.serve(tasks.get())


def _listen(tasks: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)  # the parent is gone, however it went: leave at once, the checkpoint is on disk


class _Worker:
    def __init__(self, settings: dict[str, Any], out: TextIO) -> None:
        import torch

        from kdbench.cache import Cache
        from kdbench.plugins import installed
        from kdbench.provenance import resolved_device
        from kdbench.run import Bench

        torch.set_num_threads(1)
        self.out = out
        self._last = 0.0
        self.storages: dict[str, Any] = {}
        warnings.showwarning = self._warn
        device = resolved_device(settings["device"])
        self.bench = Bench(
            plugins=installed(),
            cache=Cache(Path(settings["cache"])),
            results=Path(settings["results"]),
            device=device,
            on_progress=self._progress,
            on_epoch=self._epoch,
        )

    def serve(self, task: dict[str, Any]) -> None:
        from kdbench.plan import RunSpec
        from kdbench.run import execute, prepare

        if task["task"] == "prepare":
            try:
                prepare(task["dataset"], task["teacher"], self.bench, task["id"])
            except Exception as error:  # every run that needs this teacher will meet it again, and record it
                what = str(error) if isinstance(error, KdbenchError | Skip) else f"{type(error).__name__}: {error}"
                warnings.warn(f"teacher {task['teacher']['name']}: {what}", KdbenchWarning, stacklevel=1)
            self._send({"event": "done"})
            return
        if task["task"] == "study":
            self._serve_study(task)
            self._send({"event": "done"})
            return
        record = execute(RunSpec(**task["spec"]), self.bench)
        self._send({"event": "done", "record": record.model_dump(mode="json")})

    def _serve_study(self, task: dict[str, Any]) -> None:
        from kdbench.engines.sweep import Storage
        from kdbench.engines.trials import serve
        from kdbench.studies import Study

        if task["storage"] not in self.storages:
            self.storages[task["storage"]] = Storage(task["storage"], self.bench.cache.root)
        serve(Study(**task["study"]), self.storages[task["storage"]], self.bench, self._send)

    def _progress(self, progress: Progress) -> None:
        moment = time.monotonic()
        if moment - self._last >= PROGRESS_SECONDS or progress.done == progress.total:
            self._last = moment
            self._send({"event": "progress", "progress": asdict(progress)})

    def _epoch(self, run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        self._send({"event": "epoch", "run_id": run_id, "epoch": epoch, "metrics": metrics})

    def _warn(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, KdbenchWarning):
            self._send({"event": "warning", "message": str(message)})
        else:
            sys.stderr.write(f"{category.__name__}: {message}\n")

    def _send(self, event: dict[str, Any]) -> None:
        self.out.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main()
