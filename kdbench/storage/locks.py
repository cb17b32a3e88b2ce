"""Lock files that end with the process that holds them, say who that is, and leave no file behind; marks of files in use."""

from __future__ import annotations

import os
import platform
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ATTEMPTS = 1000  # to make the folder of a lock that others remove
_held: set[int] = set()  # descriptors of the locks and marks of this process
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

    The operating system releases the lock of a process that dies; on NFS, the server does when a machine's lease expires. The
    block may write the file and rename it: what lies at `path` when it ends is removed only if it is still that file.
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
        _sign(descriptor)
        yield True
    finally:
        with suppress(OSError):  # a lock file that stays is in nobody's way; what was done under it has been done
            if _is(path, descriptor):
                path.unlink()  # still held: a process that waits for this file finds it gone and makes another
        release(descriptor)


def holder(path: Path) -> str:
    """Who holds the lock of that file, such as "process 4711 on node3 since 2025-01-31T08:00:00Z"."""
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, ValueError):
        return "another process"


def _sign(descriptor: int) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # a full disk: it is held all the same
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()} since {moment}\n".encode())


def mark_in_use(path: Path) -> int | None:
    """Marks a file as in use by this process until `release` or its end. Returns the mark, None if there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    _held.add(descriptor)
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not _is(path, descriptor):
            release(descriptor)
            return None
    return descriptor


def release(mark: int) -> None:
    """Ends a mark."""
    if mark in _held:  # not in a forked child, where it has been closed
        _held.discard(mark)
        os.close(mark)


@contextmanager
def unused(path: Path) -> Iterator[bool]:
    """Whether no process has marked the file as in use; if so, none can within the context. True if it is not there."""
    try:
        descriptor = os.open(path, os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY)  # NFS locks what can be written
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        yield True
        return
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    _held.add(descriptor)
    try:
        yield True
    finally:
        release(descriptor)


def _acquired(path: Path, wait: bool) -> int | None:
    failures = 0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except (FileNotFoundError, FileExistsError):  # another process has just removed the empty folder
            failures += 1
            if _no_folder(path.parent) or failures == ATTEMPTS:  # or nobody can make it: its own folder is gone
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


def _no_folder(path: Path) -> bool:
    """Whether something else lies in the place of a folder. Looked at once: another process may remove the folder meanwhile."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:
        return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether the open file still lies at the path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def _windows(path: Path, wait: bool) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock")  # beside it: a locked file could not be written or renamed
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            path.unlink()
        lock.release()


def _close_in_child() -> None:
    """A forked child must not keep the locks of a parent that dies, nor tell of waits in its name."""
    _listeners.clear()
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
