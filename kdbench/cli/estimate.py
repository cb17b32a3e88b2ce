"""How long the rest of a plan will take, judged from runs that are recorded."""

from __future__ import annotations

import json
import os
import statistics

from kdbench.cli.progress import duration
from kdbench.records.record import DONE, Record
from kdbench.suite.plan import RunSpec


def estimate(specs: list[RunSpec], known: dict[str, Record | None]) -> str:
    """One sentence. Runs of the same student on the same data take the same time a step, whoever teaches."""
    todo = [spec for spec in specs if not (record := known[spec.run_id]) or record.status not in DONE]
    if not todo:
        return f"All {len(specs)} runs are recorded."
    per_epoch: dict[str, list[float]] = {}
    for spec in specs:
        record = known[spec.run_id]
        if record and record.status == "ok" and spec.train:
            seconds = record.timings["train"] + record.timings["evaluate"]
            per_epoch.setdefault(_workload(spec), []).append(seconds / spec.train["epochs"])
    times = [_seconds(spec, per_epoch) for spec in todo]
    guessed = [seconds for seconds in times if seconds is not None]
    head = f"{len(todo)} of {len(specs)} runs to do"
    if len(guessed) < len(todo):
        return f"{head}; how long they take can be told once a run of each student is recorded."
    jobs = min(os.cpu_count() or 1, len(todo))
    wall = max(sum(guessed) / jobs, max(guessed))
    return f"{head}, about {duration(wall)} with {jobs} processes like those of the recorded runs, teachers' encoding apart."


def _workload(spec: RunSpec) -> str:
    return json.dumps([spec.dataset, spec.student, spec.train.get("batch_size")], sort_keys=True)


def _seconds(spec: RunSpec, per_epoch: dict[str, list[float]]) -> float | None:
    if not spec.train:
        return 0.0  # a reference is ranked only; its encoding is that of a teacher
    seen = per_epoch.get(_workload(spec))
    return statistics.fmean(seen) * spec.train["epochs"] if seen else None
