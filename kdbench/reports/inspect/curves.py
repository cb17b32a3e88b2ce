"""A record and its trace together, with the figures that sum the trace up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from kdbench.errors import RecordError
from kdbench.records.files import read_record, read_trace
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace


@dataclass(frozen=True)
class Curves:
    """A run and its trace. Columns that a run does not have are empty."""

    record: Record
    trace: Trace

    @property
    def weighted(self) -> bool:
        """Whether there were weights to choose."""
        return len(self.trace.weights) > 1

    @property
    def strategy(self) -> str:
        """Its label; a team of one has none."""
        strategy = self.record.spec.strategy
        return strategy.name if strategy else "the strategy"

    @property
    def outcome(self) -> str:
        """`run 0123456789ab, ok, HEADLINE 123.4 on the test split; best epoch 12 of 60`"""
        record = self.record
        best = f"; best epoch {record.best_epoch} of {record.spec.epochs}" if record.best_epoch else ""
        return f"run {record.run_id}, {record.status}{self._result}{best}"

    @property
    def _result(self) -> str:
        if not self.record.metrics:
            return ""
        try:
            headline = task_of(self.record.spec.task).headline
        except RecordError:  # its task is not installed here
            return ""
        value = headline.scale * self.record.metrics[headline.name]
        return f", {headline.label} {headline.text(value)} on the test split"

    @property
    def notes(self) -> list[str]:
        """What a reader must know besides the figures."""
        notes = []
        if self.record.reconstructions:
            names = ", ".join(self.record.reconstructions)
            notes.append(f"Reconstruction: the source of {names} leaves something open, see `kdbench plugins NAME`.")
        if self.stage_starts:
            starts = ", ".join(map(str, [0, *self.stage_starts]))
            notes.append(f"{1 + len(self.stage_starts)} stages, begun after steps {starts}; the best epoch is one of the last.")
        weights = self.trace.weights
        if not weights:
            notes.append("No distillation: there are no weights, only the loss.")
        elif not self.weighted:
            notes.append(f"One teacher, {next(iter(weights))}: its weight is always 1, so only the losses are shown.")
        elif any(abs(sum(at_step) - 1) > 0.005 for at_step in zip(*weights.values(), strict=True)):
            notes.append("These weights do not sum to one, so their entropy is hard to interpret.")
        return notes

    @property
    def stage_starts(self) -> list[int]:
        """The steps after which another stage of the training begins, none in a training of one."""
        stages = self.trace.stage
        return [self.trace.step[at] for at in range(len(stages) - 1) if stages[at] < stages[at + 1]]

    @property
    def windows(self) -> str:
        """What a point of a curve stands for."""
        length = self.trace.step[0]
        return "a point for each step" if length == 1 else f"a point for every {length} steps, their mean"

    @property
    def evenness(self) -> list[float]:
        """The entropy as a fraction of ln T: 1 if all teachers weigh the same, 0 if one has all the weight."""
        return [value / math.log(len(self.trace.weights)) for value in self.trace.entropy]

    @property
    def conflicting(self) -> float:
        """Fraction of the compared steps at which the gradients of some pair of teachers have a negative cosine."""
        return fmean(self.trace.conflict)


def read_curves(path: Path) -> Curves:
    """Raises RecordError if a record has no trace, or either cannot be read."""
    record = read_record(path)
    if record.trace_sha256 is None and record.status != "ok":
        raise RecordError(f"{path}: this run ({record.spec.label}) {_ended(record)}, so it has no trace")
    if record.trace_sha256 is None and record.spec.reference:
        raise RecordError(f"{path}: this run ({record.spec.label}) trains nothing, so it has no trace")
    if record.trace_sha256 is None and record.spec.transfer:
        trains = record.spec.training
        raise RecordError(f"{path}: this run ({record.spec.label}) has no trace; that of its student is in run {trains.run_id}")
    if record.trace_sha256 is None:
        raise RecordError(f"{path}: this record has no trace, as older versions of kdbench wrote none; remove it and run again")
    trace = read_trace(path)
    if fault := trace.fault:
        raise RecordError(f"{path}: its trace cannot be drawn: {fault}")
    return Curves(record, trace)


def _ended(record: Record) -> str:
    verb = "was skipped" if record.status == "skipped" else record.status
    return f"{verb} ({record.reason})" if record.reason else verb
