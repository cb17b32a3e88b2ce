"""Where the output of a piece of work goes: a file per run, beside the records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kdbench.contracts import Site, Work
from kdbench.engines.messages import ExecuteRun, ServeStudy

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "logs"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def log_path(site: Site, work: Work) -> Path:
    """`results/SUITE/logs/ID.log` of a run or a study; of a teacher, `logs/` in the cache."""
    if isinstance(work, ExecuteRun):
        return site.results / work.spec.suite / FOLDER / f"{work.key}.log"
    if isinstance(work, ServeStudy):
        return site.results / work.study.spec.suite / FOLDER / f"study-{work.key[:12]}.log"
    return site.cache / FOLDER / f"{work.key}.log"


@contextmanager
def printing_to(path: Path, shared: bool = False) -> Iterator[None]:
    """Redirects the output of this process and its children, C libraries included, to `path`, which survives the process.

    An earlier file is replaced by a new one, unless it is `shared` with other processes: theirs is appended to. If nothing is
    printed, no file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if shared:
        log = os.open(path, APPEND, 0o666)
    else:
        new = path.with_name(f".{path.name}.{os.getpid()}")
        log = os.open(new, APPEND, 0o666)
        new.replace(path)  # another file, which readers of the earlier one recognise
    _mark(log, fcntl.LOCK_SH if fcntl else 0)
    flush()
    kept = os.dup(1), os.dup(2)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        if os.fstat(log).st_size == 0 and _alone(log):
            path.unlink(missing_ok=True)
        os.close(log)


def _alone(log: int) -> bool:
    """Whether no other process prints to this log."""
    return _mark(log, fcntl.LOCK_EX | fcntl.LOCK_NB if fcntl else 0)


def _mark(log: int, how: int) -> bool:
    """Locks the log itself. Not all file systems can: an empty log may then stay."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(log, how)
    except OSError:
        return False
    return True


def flush() -> None:
    """Writes what Python holds back of its output."""
    sys.stdout.flush()
    sys.stderr.flush()


def file_tail(file: IO[bytes], characters: int) -> str:
    """The end of an open file."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 4 * characters))  # a character takes at most 4 bytes
    return file.read().decode(errors="replace")[-characters:]


def log_tail(path: Path, characters: int) -> str:
    """The end of a log; empty if there is none."""
    try:
        with path.open("rb") as log:  # which may be as long as the disk is large
            return file_tail(log, characters)
    except OSError:
        return ""
