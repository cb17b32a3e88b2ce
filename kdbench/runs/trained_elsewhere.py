"""The trained student of another run, for a run that evaluates it on another dataset."""

from __future__ import annotations

from kdbench.contracts.values import Owned
from kdbench.deploy.export.load import trained_student
from kdbench.errors import Diverged, KdbenchError, Skip
from kdbench.records.files import recorded
from kdbench.records.record import DONE, Record
from kdbench.runs.context import RunContext
from kdbench.suite.spec import RunSpec


def digest_of_training(spec: RunSpec, context: RunContext) -> str | None:
    """The digest of the student that a transfer run evaluates; None for another run, and where no such student is recorded.

    Raises KdbenchError as `recorded` does.
    """
    record = recorded(context.results, spec.training) if spec.transfer else None
    return record.digest_of_student if record is not None and record.status in DONE else None


def trained_elsewhere(spec: RunSpec, context: RunContext) -> tuple[Record, Owned]:
    """The record of the run that trains the student of a transfer run, and the student, with its weights from the cache.

    Raises KdbenchError if it has no record or failed, or if its weights are not in the cache; Diverged or Skip if it ended so.
    """
    record = recorded(context.results, spec.training)
    if record is None:
        raise KdbenchError(f"the run that trains its student, {spec.training.label}, has no record; execute it first")
    if record.status == "diverged":
        raise Diverged(record.reason)
    if record.status == "skipped":
        raise Skip(record.reason)
    if record.status != "ok":
        raise KdbenchError(f"the run that trains its student, {record.label}, failed: {record.reason}")
    return record, trained_student(record, context.plugins, context.cache)
