"""Lock files that end with the process that holds them, and leave no file behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_held: set[int] = set()  # descriptors of the locks of this process
_listeners: list[Callable[[bool], None]] = []


def tell_of_waits(listener: Callable[[bool], None]) -> None:
    """Calls `listener(True)` before this process waits for a lock of another one, and `listener(False)` afterwards.

    It replaces an earlier listener.
    """
    _listeners[:] = [listener]


@contextmanager
def waiting() -> Iterator[None]:
    """A context in which this process waits for another one. It must not be entered within itself."""
    for listener in _listeners:
        listener(True)
    try:
        yield
    finally:
        for listener in _listeners:
            listener(False)


@contextmanager
def lock_file(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds the lock of that file within the context. Yields False at once, and holds nothing, if another process has it and
    `wait` is false.

    The operating system releases the lock of a process that dies; on NFS, the server does when a machine's lease expires.
    """
    if fcntl is None:
        with _windows(path, wait) as held:
            yield held
        return
    descriptor = _acquired(path, wait=False)
    if descriptor is None:
        if not wait:
            yield False
            return
        with waiting():
            descriptor = _acquired(path, wait=True)
        assert descriptor is not None
    _held.add(descriptor)
    try:
        yield True
    finally:
        with suppress(OSError):  # a lock file that stays is in nobody's way; what was done under it has been done
            path.unlink()  # still held: a process that waits for this file finds it gone and makes another
        _held.discard(descriptor)
        os.close(descriptor)


def _acquired(path: Path, wait: bool) -> int | None:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except (FileNotFoundError, FileExistsError):  # another process has just removed the empty folder
            if path.parent.exists() and not path.parent.is_dir():
                raise
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    """Whether the open file still lies at the path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def _windows(path: Path, wait: bool) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _close_in_child() -> None:
    """A forked child must not keep the locks of a parent that dies, nor tell of waits in its name."""
    _listeners.clear()
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
