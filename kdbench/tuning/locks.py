"""Locks that end with the process that holds them, so that what a killed worker was on can be told from what is worked on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

IDLE_SECONDS = 60  # after which a server begins to ask whether a silent client is still there


class Locks(Protocol):
    """Named locks, shared by all who use one storage."""

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Waits for the lock and holds it within the block."""
        ...

    def take(self, name: str) -> bool:
        """Takes the lock if nobody holds it, and says whether."""
        ...

    def give_back(self, name: str) -> None:
        """Ends what `take` began."""
        ...


class FileLocks:
    """Locks in a folder, for all processes that reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: dict[str, FileLock] = {}

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        with self._lock(name):
            yield

    def take(self, name: str) -> bool:
        lock = self._lock(name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self.taken[name] = lock
        return True

    def give_back(self, name: str) -> None:
        self.taken.pop(name).release()

    def _lock(self, name: str) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f"{name}.lock")


class PostgresLocks:
    """PostgreSQL's advisory locks, for all machines: the server gives them back when a connection ends."""

    def __init__(self, url: str) -> None:
        from sqlalchemy import create_engine, text

        self._text = text
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self.connection = engine.connect()  # the locks are this session's
        # A machine that lost its power says no farewell. Unix sockets need no such thing, and refuse other values than 0.
        self._ask("SELECT set_config('tcp_keepalives_idle', :seconds, false)", seconds=str(IDLE_SECONDS))

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        self._ask("SELECT pg_advisory_lock(:key)", key=_key(name))
        try:
            yield
        finally:
            self._ask("SELECT pg_advisory_unlock(:key)", key=_key(name))

    def take(self, name: str) -> bool:
        return bool(self._ask("SELECT pg_try_advisory_lock(:key)", key=_key(name)))

    def give_back(self, name: str) -> None:
        self._ask("SELECT pg_advisory_unlock(:key)", key=_key(name))

    def _ask(self, question: str, **values: Any) -> Any:
        return self.connection.execute(self._text(question), values).scalar()


class JournalLock:
    """The lock of a journal file, which ends with its process, where Optuna's own waits half a minute for the dead.

    Its file is not that of Optuna's own, which a dashboard takes when it writes, and breaks when it finds it for too long.
    What somebody left half written (no space, no power) is cut off, or the line after it could never be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FileLock(f"{path}.flock")

    def acquire(self) -> bool:
        self.lock.acquire()
        if self.path.exists():
            with self.path.open("rb+") as stream:
                size = stream.seek(0, 2)
                if size and (stream.seek(size - 1), stream.read(1))[1] != b"\n":
                    stream.seek(0)
                    stream.truncate(stream.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self.lock.release()


def _key(name: str) -> int:
    """A signed 64-bit number, which advisory locks are named by."""
    return int.from_bytes(hashlib.sha256(f"kdbench {name}".encode()).digest()[:8], "big", signed=True)
