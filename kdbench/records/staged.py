"""A run's files before it has a record: they take their places together, when nothing is left that can fail."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kdbench.records.files import write_model
from kdbench.records.names import ARRAYS, TRACE
from kdbench.records.record import Record

FOLDER = ".unfinished"  # beside the records
FILES = (ARRAYS, TRACE)


def staged(path: Path) -> Path:
    """In place of a record's path, where the arrays and the trace of its run are written first."""
    return path.parent / FOLDER / path.name


def publish(path: Path, record: Record) -> None:
    """Writes a record to `path`, and puts the staged files of its run beside it.

    An error, such as a full disk, leaves an earlier record with its files; a kill while they are replaced leaves no record.
    """
    new = write_model(staged(path).with_suffix(".record"), record)
    path.unlink(missing_ok=True)  # no record names files that are not its own
    for suffix in FILES:
        with suppress(FileNotFoundError):  # a run that diverged has none
            os.replace(staged(path).with_suffix(suffix), path.with_suffix(suffix))
    os.replace(new, path)
    discard(path)


def discard(path: Path) -> None:
    """Removes the staged files of a run."""
    for suffix in FILES:
        staged(path).with_suffix(suffix).unlink(missing_ok=True)
    with suppress(OSError):  # there is none, or other runs have files there
        staged(path).parent.rmdir()
