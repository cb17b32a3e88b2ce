"""A record and its series together, with the figures that sum the series up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import fmean

from kdbench.errors import RecordError
from kdbench.records.record import Record, read_record, read_series

Value = float | None


@dataclass(frozen=True)
class Curves:
    """The columns that `kdbench.training.trace` describes, one value a window of steps. Those a run does not have are empty."""

    record: Record
    step: Sequence[int]
    loss: Sequence[float]
    task: Sequence[float]
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    entropy: Sequence[float] = ()
    cosines: Mapping[str, Sequence[float]] = field(default_factory=dict)
    conflict: Sequence[int] = ()
    report: Mapping[str, Sequence[Value]] = field(default_factory=dict)

    @property
    def weighed(self) -> bool:
        """Whether there were weights to choose."""
        return len(self.weights) > 1

    @property
    def strategy(self) -> str:
        """Its label; a team of one has none."""
        strategy = self.record.spec["strategy"]
        return str(strategy["name"]) if strategy else "the strategy"

    @property
    def outcome(self) -> str:
        """`run 0123456789ab, ok, RSUM 123.4 on the test split; best epoch 12 of 60`"""
        record = self.record
        rsum = f", RSUM {record.metrics['rsum']:.1f} on the test split" if "rsum" in record.metrics else ""
        best = f"; best epoch {record.best_epoch} of {record.spec['train']['epochs']}" if record.best_epoch else ""
        return f"run {record.run_id}, {record.status}{rsum}{best}"

    @property
    def notes(self) -> list[str]:
        """What a reader must know beside the figures."""
        notes = []
        if self.record.reconstructions:
            names = ", ".join(self.record.reconstructions)
            notes.append(f"Reconstruction: the source of {names} leaves something open, see `kdbench plugins NAME`.")
        if not self.weights:
            notes.append("No teacher: there are no weights, only the loss.")
        elif not self.weighed:
            notes.append(f"One teacher, {next(iter(self.weights))}: its weight is always 1, so only the losses are shown.")
        elif any(abs(sum(shares) - 1) > 0.005 for shares in zip(*self.weights.values(), strict=True)):
            notes.append("These weights need not sum to one, so their entropy says little.")
        return notes

    @property
    def windows(self) -> str:
        """What a point of a curve stands for."""
        length = self.step[0]
        return "a point for each step" if length == 1 else f"a point for every {length} steps, their mean"

    @property
    def evenness(self) -> list[float]:
        """The entropy as a share of ln T: 1 where all teachers weigh the same, 0 where one has all the weight."""
        return [value / math.log(len(self.weights)) for value in self.entropy]

    @property
    def conflicting(self) -> float:
        """Share of the compared steps at which the gradients of some pair of teachers point against each other."""
        return fmean(self.conflict)


def read_curves(path: Path) -> Curves:
    """Raises RecordError where a record has no series, or either cannot be read."""
    record = read_record(path)
    if record.series_sha256 is None and record.status != "ok":
        raise RecordError(f"{path}: this run ({record.label}) {_ended(record)}, so it has no curves")
    if record.series_sha256 is None:
        raise RecordError(f"{path}: it has no curves, being recorded before kdbench kept them; remove it and run again")
    series = read_series(path)
    return Curves(record, **{column.name: series[column.name] for column in fields(Curves)[1:] if column.name in series})


def _ended(record: Record) -> str:
    verb = "was skipped" if record.status == "skipped" else record.status
    return f"{verb} ({record.reason})" if record.reason else verb
