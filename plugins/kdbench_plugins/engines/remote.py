"""A task in a process that an engine on another machine has asked for: on shared folders, alone on its run, at most once."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kdbench.engines.tasks import Event, Executor, Task
from kdbench.errors import KdbenchError
from kdbench.records.record import DONE, recorded
from kdbench.storage.digest import digest_of
from kdbench.suite.plan import RunSpec

SHARED_SECONDS = 10.0  # within which a file of the driver's must be seen here: network file systems look up late
WAIT_SECONDS = 5.0  # for a run's lock, before somebody is told
_executors: dict[str, Executor] = {}  # one a process: plugins and what the cache has verified serve all its tasks


def carry_out(settings: dict[str, Any], task: Task, send: Callable[[Event], None]) -> Event:
    """Executes `task`, telling `send` what happens, and returns the last event: `done`, with the record of a run.

    A run that is recorded already is not done again, its record is returned. `settings` are those of `Executor`, with
    `folder`, the driver's own, and `seal`, the name of a file that it has put into `results` and `cache`. A task's `log` is
    the file that takes what it prints. Raises KdbenchError where a folder is not the driver's.
    """
    _enter(settings)
    ended: list[Event] = []

    def sort(event: Event) -> None:
        if event["event"] == "done":
            ended.append(event)
        else:
            send(event)

    with _printing(Path(task["log"])):
        if task["task"] == "run":
            spec = RunSpec(**task["spec"])
            with _alone(Path(settings["cache"]), spec, send):
                record = recorded(Path(settings["results"]), spec.suite, spec.run_id)
                if record and record.status in DONE:
                    return {"event": "done", "record": record.model_dump(mode="json")}
                _executor(settings, sort).serve(task)
        else:
            _executor(settings, sort).serve(task)
    return ended[0]


def _executor(settings: dict[str, Any], send: Callable[[Event], None]) -> Executor:
    key = digest_of(settings)
    if key not in _executors:
        _executors[key] = Executor(settings, send)
    _executors[key].send = send
    return _executors[key]


def _enter(settings: dict[str, Any]) -> None:
    """A node with folders of its own would compute into the void, and start every run from nothing."""
    until = time.monotonic() + SHARED_SECONDS
    for name in ("results", "cache"):
        while not (Path(settings[name]) / settings["seal"]).exists():
            if time.monotonic() > until:
                raise KdbenchError(
                    f"--{name}: node {platform.node()} does not see what was written into {settings[name]}; expected a folder "
                    "that all nodes share, under the same path, such as an NFS mount"
                )
            time.sleep(0.2)
    try:
        os.chdir(settings["folder"])
    except OSError as error:
        raise KdbenchError(
            f"node {platform.node()} cannot enter {settings['folder']} ({error}), which paths in a suite are relative to; start"
            " kdbench in a folder that all nodes have"
        ) from error


@contextmanager
def _alone(cache: Path, spec: RunSpec, send: Callable[[Event], None]) -> Iterator[None]:
    """One process at a time does a run. A node that is lost to the cluster may still be at it for a while.

    The system takes the lock from a process that dies; on NFS the server does when the lease of a lost machine ends.
    """
    folder = cache / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{digest_of({'run': spec.run_id})[:24]}.lock")
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        text = f"{spec.label}: another process is at this run, or was on a node that is lost; waiting until its lock is free"
        send({"event": "warning", "message": text})
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _printing(path: Path) -> Iterator[None]:
    """What this process prints goes to `path`, what C libraries print too; it can be read even if the process dies."""
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
