"""What a row has cost to train, as its records tell."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from kdbench.records.record import Record
from kdbench.reports.board import Cost, Measured

Shared = Counter[str]  # how many runs used a thing that was made once


def shared(runs: Iterable[Measured]) -> Shared:
    """Counts, over all runs of a board, who used what."""
    return Counter(key for run in runs for key in _made(run.record))


def cost(runs: Sequence[Measured], used: Shared) -> Cost:
    """Of a row's runs."""
    records = [run.record for run in runs]
    return Cost(
        train_seconds=_mean(records, lambda record: record.timings.get("train")),
        teacher_seconds=_mean(records, lambda record: _part(record, used)),
        strategy_share=_mean([record for record in records if record.spec["strategy"]], _share),
        peak_mb=_mean(records, lambda record: record.peak_mb),
    )


def _part(record: Record, used: Shared) -> float | None:
    return sum(seconds / used[key] for key, seconds in _made(record).items()) if "teacher" in record.timings else None


def _made(record: Record) -> dict[str, float]:
    """Seconds of each thing made for a run's teachers. Older records have one figure: their team is then one thing."""
    if record.encodings or not record.timings.get("teacher"):
        return record.encodings
    parts = [record.dataset_digest, record.spec["team"], record.spec["student"] if record.spec.get("role") else None]
    return {json.dumps(parts, sort_keys=True): record.timings["teacher"]}


def _share(record: Record) -> float | None:
    """Of training; what the epochs' validation takes is in it as well."""
    part, whole = record.timings.get("strategy"), record.timings.get("train")
    return part / whole if part is not None and whole else None


def _mean(records: Sequence[Record], figure: Callable[[Record], float | None]) -> float | None:
    found = [value for record in records if (value := figure(record)) is not None]
    return statistics.fmean(found) if found and len(found) == len(records) else None
