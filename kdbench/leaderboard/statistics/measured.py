"""A record with its ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdbench.errors import RecordError
from kdbench.ranks import Ranks
from kdbench.records import Record, find_records, read_ranks, read_record


@dataclass(frozen=True)
class Measured:
    """One finished run."""

    record: Record
    ranks: Ranks

    @property
    def recall_at(self) -> list[int]:
        """The K of R@K."""
        return list(self.record.spec["evaluate"]["recall_at"])


def read_measured(paths: Iterable[Path]) -> list[Measured]:
    """The finished runs (status ok) among record files and folders, each run once, with their ranks.

    Raises RecordError where a file is damaged, or ranks give other metrics than their record holds.
    """
    found: dict[str, Measured] = {}
    for path in find_records(paths):
        record = read_record(path)
        if record.status != "ok" or record.run_id in found:
            continue
        one = found[record.run_id] = Measured(record, read_ranks(path))
        for name, value in one.ranks.metrics(one.recall_at).items():
            if not math.isclose(record.metrics.get(name, math.nan), value, rel_tol=1e-9, abs_tol=1e-12):
                raise RecordError(f"{path}: {name} is {record.metrics.get(name)}, its ranks give {value}")
    return list(found.values())
