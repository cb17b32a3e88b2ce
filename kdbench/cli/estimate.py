"""How long the rest of a plan will take, estimated from recorded runs."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence

from kdbench.cli.bars import duration
from kdbench.errors import counted
from kdbench.records.record import DONE, Record
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import RunSpec


def estimate(specs: Sequence[RunSpec], known: Mapping[str, Record | None], changed: int = 0) -> str:
    """One sentence; `changed` recorded runs are of other code or files.

    Runs of the same student on the same data take the same time per step, whatever their teachers.
    """
    todo = [spec for spec in specs if not (record := known[spec.run_id]) or record.status not in DONE]
    if not todo:
        all_of_it = f"All {len(specs)} runs are" if len(specs) > 1 else "The only run is"
        return f"{all_of_it} recorded{f', {changed} of them with other code or files' if changed else ''}."
    per_epoch: dict[str, list[float]] = {}
    for spec in specs:
        record = known[spec.run_id]
        if record and record.status == "ok" and spec.train and not spec.trained_on:
            seconds = record.timings["train"] + record.timings["evaluate"]
            per_epoch.setdefault(_workload(spec), []).append(seconds / spec.epochs)
    times = [_seconds(spec, per_epoch) for spec in todo]
    guessed = [seconds for seconds in times if seconds is not None]
    head = f"{len(todo):,} of {counted(len(specs), 'run')} to do"
    if len(guessed) < len(todo):
        return f"{head}; their duration can be estimated once a run of each student is recorded."
    jobs = min(os.cpu_count() or 1, len(todo))
    wall = max(sum(guessed) / jobs, max(guessed))
    machine = f"{counted(jobs, 'process')} on a machine like that of the recorded runs"
    return f"{head}, about {duration(wall)} with {machine}, encoding excluded."


def _workload(spec: RunSpec) -> str:
    return digest_of([spec.dataset.plain, spec.student.plain, spec.train.batch_size if spec.train else None])


def _seconds(spec: RunSpec, per_epoch: Mapping[str, Sequence[float]]) -> float | None:
    if not spec.train or spec.trained_on:
        return 0.0  # only evaluated; the encoding of a reference is that of a teacher
    seen = per_epoch.get(_workload(spec))
    return statistics.fmean(seen) * spec.epochs if seen else None
