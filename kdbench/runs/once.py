"""Executes a run once: in one process at a time, and not again after it has been recorded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdbench.errors import KdbenchWarning
from kdbench.records.files import recorded
from kdbench.records.parts import Parts, differences
from kdbench.records.record import DONE, Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.storage.digest import digest_of
from kdbench.storage.locks import lock_file
from kdbench.suite.spec import RunSpec

LOCKS = ".locks"  # folder beside the records


class Busy(Exception):
    """Another process executes the run."""


def execute_once(spec: RunSpec, context: RunContext, *, wait: bool = True, redo: bool = False) -> Record:
    """Executes a run under its lock and returns its record.

    A run that another process has finished in the meantime is not executed again: its record is returned. With `redo`, it is,
    unless its record is ok and was made by the same code from the same files. Raises Busy if another process executes the run
    and `wait` is false; otherwise waits for it, with a warning.
    """
    with run_lock(spec, context, wait):
        record = recorded(context.results, spec)
        if record is None or record.status not in DONE:
            return execute(spec, context)
        if not redo:
            return record
        parts = context.parts(spec, fresh=True)
        return execute(spec, context, parts=parts) if to_redo(record, parts) else record


def to_redo(record: Record, parts: Parts) -> bool:
    """Whether `--redo` executes a finished run again: it diverged, or its code or files have changed."""
    return record.status != "ok" or bool(differences(record.parts, parts))


@contextmanager
def run_lock(spec: RunSpec, context: RunContext, wait: bool = True) -> Iterator[None]:
    """Holds a run's locks: that of its record, and that of its checkpoint, which other results folders may share.

    Raises Busy if another process has one and `wait` is false.
    """
    lock = record_lock(context.results, spec)
    try:
        with _held(lock, spec, wait), _held(_checkpoint_lock(context.cache.root, spec), spec, wait):
            yield
    finally:
        with suppress(OSError):  # other runs have theirs there
            lock.parent.rmdir()


def record_lock(results: Path, spec: RunSpec) -> Path:
    """The lock file of a run's record."""
    return results / spec.suite / LOCKS / f"{spec.run_id}.lock"


def _checkpoint_lock(cache: Path, spec: RunSpec) -> Path:
    return cache / "scratch" / f"{digest_of({'run': spec.run_id})[:24]}.lock"


@contextmanager
def _held(path: Path, spec: RunSpec, wait: bool) -> Iterator[None]:
    with lock_file(path, wait=False) as held:
        if held:
            yield
            return
    if not wait:
        raise Busy(spec.label)
    message = f"{spec.label}: another process, perhaps on a lost node, executes this run; waiting for its lock"
    warnings.warn(message, KdbenchWarning, stacklevel=4)
    with lock_file(path):
        yield
