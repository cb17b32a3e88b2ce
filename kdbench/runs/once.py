"""Executes a run once: in one process at a time, and not again after it has been recorded."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from kdbench.errors import KdbenchWarning
from kdbench.records.files import recorded
from kdbench.records.parts import Parts, differences
from kdbench.records.record import DONE, Outcome, Record
from kdbench.runs.began import Began
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute, keep, reason_of, record_of
from kdbench.runs.trained_elsewhere import digest_of_training
from kdbench.storage.locks import holder, lock_file
from kdbench.suite.spec import RunSpec
from kdbench.training.distributed import Rank
from kdbench.training.own_process import OwnProcess

LOCKS = ".locks"  # folder beside the records


class Busy(Exception):
    """Another process executes the run."""


def execute_once(
    spec: RunSpec,
    context: RunContext,
    *,
    wait: bool = True,
    redo: bool = False,
    train: bool = True,
    rank: Rank | None = None,
    within: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Record:
    """Executes a run under its lock and returns its record.

    A transfer run first executes the run that trains its student, once, unless `train` is false or a launcher has started this
    process. It is executed again if its student has been trained again since, with another result.

    A run that another process has finished in the meantime is not executed again: its record is returned. With `redo`, it is,
    unless its record is ok and was made by the same code from the same files. Raises Busy if another process executes the run
    and `wait` is false; otherwise waits for it, with a warning. Whatever else fails around the run, such as a lock, fails this
    run alone: its record says why, and is also returned where it cannot be written.

    `within` gives a context for the execution, entered under the lock, and only if the run is executed. `rank` is that of this
    process if another launcher has started it.
    """
    own = OwnProcess()
    began = Began()
    try:
        if spec.transfer and train and rank is None:
            execute_once(spec.training, context, wait=wait, within=within)
        with run_lock(spec, context, wait):
            record = recorded(context.results, spec)
            parts: Parts | None = None
            if record is not None and record.status in DONE and record.student_digest == digest_of_training(spec, context):
                if not redo:
                    return record
                parts = context.parts(spec, fresh=True)
                if not to_redo(record, parts):
                    return record
            with within():
                return execute(spec, context, rank, parts)
    except Busy:
        raise
    except (Exception, SystemExit) as error:
        own.check()
        return failed(spec, context, reason_of(error), began)


def failed(spec: RunSpec, context: RunContext, reason: str, began: Began | None = None) -> Record:
    """Records that a run failed before or after its execution, or with its process.

    The record is returned, but not written, if another process executes the run, or if it cannot be written.
    """
    record = record_of(spec, context, "failed", reason, began or Began(), Outcome())
    with suppress(Busy, OSError), run_lock(spec, context, wait=False):
        keep(record, context)
    return record


def to_redo(record: Record, parts: Parts) -> bool:
    """Whether `--redo` executes a finished run again: it diverged, or its code or files have changed."""
    return record.status != "ok" or bool(differences(record.parts, parts))


@contextmanager
def run_lock(spec: RunSpec, context: RunContext, wait: bool = True) -> Iterator[None]:
    """Holds a run's lock. Raises Busy if another process has it and `wait` is false; otherwise warns, says who, and waits."""
    lock = record_lock(context.results, spec)
    try:
        with lock_file(lock, wait=False) as held:
            if held:
                yield
                return
        if not wait:
            raise Busy(spec.label)
        who = holder(lock)
        lost = "" if f" on {platform.node()} " in who else "; its node may be lost"  # here, the lock of a dead process is free
        message = f"{spec.label}: waiting for {who}, which executes this run{lost}; Ctrl-C loses nothing"
        warnings.warn(message, KdbenchWarning, stacklevel=4)
        with lock_file(lock):
            yield
    finally:
        with suppress(OSError):  # other runs have theirs there
            lock.parent.rmdir()


def record_lock(results: Path, spec: RunSpec) -> Path:
    """The lock file of a run's record."""
    return results / spec.suite / LOCKS / f"{spec.run_id}.lock"
