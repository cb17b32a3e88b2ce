"""Locks that end with the process that holds them: they distinguish trials of killed workers from running ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from kdbench.storage.locks import lock_file

IDLE_SECONDS = 60  # after which a server begins to probe a silent client


class Locks(Protocol):
    """Named locks between all processes that use one storage."""

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Waits for the lock and holds it within the context."""
        ...

    def acquire(self, name: str) -> bool:
        """Acquires the lock if it is free. Returns whether it was."""
        ...

    def release(self, name: str) -> None:
        """Releases what `acquire` acquired."""
        ...


class FileLocks:
    """Lock files in a folder, for all processes with access to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._acquired: dict[str, ExitStack] = {}

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        with lock_file(self._path(name)):
            yield

    def acquire(self, name: str) -> bool:
        held = ExitStack()
        if not held.enter_context(lock_file(self._path(name), wait=False)):
            return False
        self._acquired[name] = held
        return True

    def release(self, name: str) -> None:
        self._acquired.pop(name).close()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.lock"


class PostgresLocks:
    """PostgreSQL's advisory locks, for all machines. The server releases them when a connection ends."""

    def __init__(self, url: str) -> None:
        from sqlalchemy import create_engine, text

        self._text = text
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self.connection = engine.connect()  # locks belong to a server session
        # A machine that loses power does not close its connection. Unix sockets refuse values other than 0.
        self._ask("SELECT set_config('tcp_keepalives_idle', :seconds, false)", seconds=str(IDLE_SECONDS))

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        self._ask("SELECT pg_advisory_lock(:key)", key=_key(name))
        try:
            yield
        finally:
            self._ask("SELECT pg_advisory_unlock(:key)", key=_key(name))

    def acquire(self, name: str) -> bool:
        return bool(self._ask("SELECT pg_try_advisory_lock(:key)", key=_key(name)))

    def release(self, name: str) -> None:
        self._ask("SELECT pg_advisory_unlock(:key)", key=_key(name))

    def _ask(self, question: str, **values: Any) -> Any:
        return self.connection.execute(self._text(question), values).scalar()


class JournalLock:
    """The lock of a journal file. It ends with its process, while Optuna's own waits half a minute for a dead one.

    It uses another file than Optuna's own lock, which dashboards acquire for writing and break when it is old. An incomplete
    last line (disk full, power cut) is removed; otherwise the next line could not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ExitStack()

    def acquire(self) -> bool:
        held = ExitStack()
        held.enter_context(lock_file(self.path.with_name(f"{self.path.name}.flock")))
        self._held = held
        if self.path.exists():
            with self.path.open("rb+") as stream:
                size = stream.seek(0, 2)
                if size and (stream.seek(size - 1), stream.read(1))[1] != b"\n":
                    stream.seek(0)
                    stream.truncate(stream.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._held.close()


def _key(name: str) -> int:
    """A signed 64-bit number for a name, because advisory locks have no names."""
    return int.from_bytes(hashlib.sha256(f"kdbench {name}".encode()).digest()[:8], "big", signed=True)
