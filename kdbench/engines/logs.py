"""Where the output of a piece of work goes: a file per run, beside the records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdbench.contracts import Site, Work
from kdbench.engines.messages import ExecuteRun, ServeStudy

FOLDER = "logs"


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

    An earlier file is replaced unless it is `shared` with other processes. If nothing is printed, no file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if shared else os.O_TRUNC), 0o666)
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
        if os.fstat(log).st_size == 0:
            path.unlink(missing_ok=True)
        os.close(log)


def flush() -> None:
    """Writes what Python holds back of its output."""
    sys.stdout.flush()
    sys.stderr.flush()


def log_tail(path: Path, characters: int) -> str:
    """The end of a log; empty if there is none."""
    try:
        return path.read_bytes().decode(errors="replace")[-characters:]
    except OSError:
        return ""
