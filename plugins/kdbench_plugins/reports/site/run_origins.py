"""The origin of a board's results: counts over its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kdbench.records.measured import Measured
from kdbench.records.record import Record
from kdbench.reports.board import Board


@dataclass(frozen=True)
class Provenance:
    """Counts of runs by commit, device and so on, most runs first."""

    runs: int
    kdbench: dict[str, int]
    commits: dict[str, int]
    devices: dict[str, int]
    first: str  # when the earliest run started, UTC
    last: str  # when the latest finished


def runs_of(board: Board) -> list[Measured]:
    """Every run of the board's tables, once; references are in several tables."""
    rows = (row for table in board.tables for row in [*table.references, *table.rows])
    return list({run.record.run_id: run for row in rows for run in row.runs}.values())


def provenance(runs: Iterable[Measured]) -> Provenance:
    records = [run.record for run in runs]
    return Provenance(
        runs=len(records),
        kdbench=_count(record.versions.get("kdbench", "unknown") for record in records),
        commits=_count(commit(record) for record in records),
        devices=_count(device(record) for record in records),
        first=min((record.started for record in records), default=""),
        last=max((record.finished for record in records), default=""),
    )


def commit(record: Record) -> str:
    """The short commit of a record, with a note on uncommitted changes."""
    if not record.commit:
        return "unknown commit"
    return record.commit[:10] + (" with changes" if record.dirty else "" if record.dirty is False else ", perhaps with changes")


def device(record: Record) -> str:
    """`cpu (AMD EPYC)`, or the name of the GPU."""
    cpu = record.host.get("cpu")
    return f"cpu ({cpu})" if record.device == "cpu" and cpu else record.device


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
