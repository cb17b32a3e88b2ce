"""What training a row has cost, from its records."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from kdbench.records.measured import Measured
from kdbench.records.record import Record
from kdbench.reports.board import Cost

Uses = Counter[str]  # how many runs used each entry that was made once


def uses_of(runs: Iterable[Measured]) -> Uses:
    """Over all runs of a board; a student that is evaluated elsewhere as well is trained once."""
    return Counter(key for run in runs if not run.record.spec.transfer for key in _made(run.record))


def cost(runs: Sequence[Measured], used: Uses) -> Cost:
    """Of a row's runs."""
    records = [run.record for run in runs]
    return Cost(
        train_seconds=_median(records, lambda record: record.timings.get("train")),
        teacher_seconds=_mean(records, lambda record: _teacher_seconds(record, used)),
        strategy_share=_median([record for record in records if record.spec.strategy], _strategy_share),
        peak_mb=_median(records, lambda record: record.peak_mb),
    )


def _teacher_seconds(record: Record, used: Uses) -> float | None:
    return sum(seconds / max(1, used[key]) for key, seconds in _made(record).items()) if "teacher" in record.timings else None


def _made(record: Record) -> dict[str, float]:
    """Seconds of each entry made for a run's teachers. Older records have one figure: their team then counts as one entry."""
    if record.encodings or not record.timings.get("teacher"):
        return record.encodings
    spec = record.spec
    team = [teacher.canonical for teacher in ((spec.student,) if spec.reference else spec.team)]
    return {json.dumps([record.dataset_digest, spec.reference, team], sort_keys=True): record.timings["teacher"]}


def _strategy_share(record: Record) -> float | None:
    """Of the time of training, which includes that of validation."""
    part, whole = record.timings.get("strategy"), record.timings.get("train")
    return part / whole if part is not None and whole else None


def _figures(records: Sequence[Record], figure: Callable[[Record], float | None]) -> list[float]:
    """One for each record; none if any lacks it."""
    found = [value for record in records if (value := figure(record)) is not None]
    return found if len(found) == len(records) else []


def _mean(records: Sequence[Record], figure: Callable[[Record], float | None]) -> float | None:
    found = _figures(records, figure)
    return statistics.fmean(found) if found else None


def _median(records: Sequence[Record], figure: Callable[[Record], float | None]) -> float | None:
    """What a machine that did something else at times measures, too."""
    found = _figures(records, figure)
    return statistics.median(found) if found else None
