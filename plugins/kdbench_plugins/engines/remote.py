"""Executes one piece of work on another machine with shared folders; a run is executed by one process at a time, and once."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from pydantic import Field

from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.messages import AnyEvent, AnyWork, Done, ExecuteRun, Finished, Message, Warned
from kdbench.errors import KdbenchError
from kdbench.records.files import recorded
from kdbench.records.record import DONE
from kdbench.storage.digest import digest_of
from kdbench.suite.spec import RunSpec

SHARED_SECONDS = 10.0  # seconds until a file of the driver must be visible here: network file systems cache look-ups
WAIT_SECONDS = 5.0  # seconds of waiting for a run's lock before a warning
_executors: dict[tuple[Site, str], Executor] = {}  # one per process: all work uses its plugins and verified cache entries


class Errand(Message):
    """A piece of work with everything that another machine needs to execute it.

    `folder` is the driver's working directory, `seal` the name of a file that it wrote into `site.results` and `site.cache`.
    `log` is the file that receives the output of the work.
    """

    site: Site
    folder: Path
    seal: str
    work: Annotated[AnyWork, Field(discriminator="kind")]
    log: Path


def execute_errand(errand: Errand, send: Callable[[AnyEvent], None]) -> Finished | None:
    """Executes the work, sends all events but the last, and returns a run's last event.

    A recorded run is not executed again; its record is returned. Raises KdbenchError if a folder is not shared with the driver.
    """
    _enter(errand)
    ended: list[Finished] = []

    def sort(event: AnyEvent) -> None:
        if isinstance(event, Finished):
            ended.append(event)
        elif not isinstance(event, Done):
            send(event)

    with _printing_to(errand.log):
        if isinstance(errand.work, ExecuteRun):
            spec = errand.work.spec
            with _locked(errand.site.cache, spec, send):
                record = recorded(errand.site.results, spec)
                if record and record.status in DONE:
                    return Finished(record=record)
                _executor(errand, sort).execute(errand.work)
        else:
            _executor(errand, sort).execute(errand.work)
    return ended[0] if ended else None


def _executor(errand: Errand, send: Callable[[AnyEvent], None]) -> Executor:
    key = errand.site, errand.seal
    if key not in _executors:
        _executors[key] = Executor(errand.site, send)
    _executors[key].send = send
    return _executors[key]


def _enter(errand: Errand) -> None:
    """Raises KdbenchError if the folders are not the driver's.

    A node with other folders would write records that the driver never reads, and start every run from the beginning.
    """
    until = time.monotonic() + SHARED_SECONDS
    for name, folder in (("results", errand.site.results), ("cache", errand.site.cache)):
        while not (folder / errand.seal).exists():
            if time.monotonic() > until:
                raise KdbenchError(
                    f"--{name}: node {platform.node()} cannot see what the driver wrote into {folder}; expected a folder "
                    "that all nodes share, under the same path, such as an NFS mount"
                )
            time.sleep(0.2)
    try:
        os.chdir(errand.folder)
    except OSError as error:
        raise KdbenchError(
            f"node {platform.node()} cannot enter {errand.folder} ({error}), which paths in a suite are relative to; start "
            "kdbench in a folder that all nodes have"
        ) from error


@contextmanager
def _locked(cache: Path, spec: RunSpec, send: Callable[[AnyEvent], None]) -> Iterator[None]:
    """Locks a run: a node that the cluster has lost may still execute it for a while.

    The operating system releases the lock of a process that dies; on NFS, the server does when a machine's lease expires.
    """
    folder = cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{digest_of({'run': spec.run_id})[:24]}.lock")
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        send(Warned(message=f"{spec.label}: another process, perhaps on a lost node, executes this run; waiting for its lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Redirects the output of this process, C libraries included, to `path`, which survives the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    _flush()
    kept = os.dup(1), os.dup(2)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        _flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        os.close(log)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
