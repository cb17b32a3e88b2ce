"""What a process does that executes tasks, of whichever engine. A task is a map of JSON values, and so are its events."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdbench.contracts import Progress
from kdbench.errors import KdbenchError, KdbenchWarning, Skip
from kdbench.suite.plan import RunSpec

PROGRESS_SECONDS = 0.5
# For every process that executes: one thread, and waiting threads that sleep, as those that share cores must not spin.
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}

Task = dict[str, Any]
Event = dict[str, Any]


class Executor:
    """Executes tasks one after the other and tells `send` of progress, epochs and warnings, at the end `done`.

    `settings` are `results`, `cache` (folders) and `device`.
    """

    def __init__(self, settings: dict[str, Any], send: Callable[[Event], None]) -> None:
        import torch

        from kdbench.plugins.loading import installed
        from kdbench.records.provenance import resolved_device
        from kdbench.runs.execute import Bench
        from kdbench.storage.cache import Cache

        torch.set_num_threads(1)
        self.send = send
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

    def serve(self, task: Task) -> None:
        from kdbench.runs.execute import execute, prepare

        if task["task"] == "prepare":
            try:
                prepare(task["dataset"], task["teacher"], self.bench, task["id"])
            except Exception as error:  # every run that needs this teacher will meet it again, and record it
                what = str(error) if isinstance(error, KdbenchError | Skip) else f"{type(error).__name__}: {error}"
                warnings.warn(f"teacher {task['teacher']['name']}: {what}", KdbenchWarning, stacklevel=1)
            self.send({"event": "done"})
            return
        if task["task"] == "study":
            self._serve_study(task)
            self.send({"event": "done"})
            return
        record = execute(RunSpec(**task["spec"]), self.bench)
        self.send({"event": "done", "record": record.model_dump(mode="json")})

    def _serve_study(self, task: Task) -> None:
        from kdbench.tuning.serve import serve
        from kdbench.tuning.storage import Storage
        from kdbench.tuning.study import Study

        if task["storage"] not in self.storages:
            self.storages[task["storage"]] = Storage(task["storage"], self.bench.cache.root)
        serve(Study(**task["study"]), self.storages[task["storage"]], self.bench, self.send)

    def _progress(self, progress: Progress) -> None:
        moment = time.monotonic()
        if moment - self._last >= PROGRESS_SECONDS or progress.done == progress.total:
            self._last = moment
            self.send({"event": "progress", "progress": asdict(progress)})

    def _epoch(self, run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        self.send({"event": "epoch", "run_id": run_id, "epoch": epoch, "metrics": metrics})

    def _warn(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, KdbenchWarning):
            self.send({"event": "warning", "message": str(message)})
        else:
            sys.stderr.write(f"{category.__name__}: {message}\n")


def preparations(specs: Iterable[RunSpec]) -> dict[str, Task]:
    """One task for each teacher on each dataset, ahead of the runs, so that none waits for another's encoding; by `need`."""
    return {
        need(spec, teacher): {"task": "prepare", "dataset": spec.dataset, "teacher": teacher, "id": teacher["name"]}
        for spec in specs
        for teacher in spec.team
    }


def need(spec: RunSpec, teacher: dict[str, Any]) -> str:
    """The same for all runs that share a teacher on a dataset."""
    return json.dumps([spec.dataset, teacher], sort_keys=True)
