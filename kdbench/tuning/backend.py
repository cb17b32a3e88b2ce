"""Opens a storage: Optuna's own, and locks between its users."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import KdbenchError
from kdbench.storage.digest import digest_of
from kdbench.tuning.locks import FileLocks, JournalLock, Locks, PostgresLocks
from kdbench.tuning.storage_url import driven, shown

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def open_backend(url: str, cache: Path) -> tuple[BaseStorage, Locks]:
    """Opens a journal file or a database URL. Locks for a database other than PostgreSQL are files in the cache.

    Raises KdbenchError if it cannot be opened.
    """
    import optuna
    from optuna.storages import RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in url:
        path = Path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = JournalFileBackend(url, JournalLock(path))  # type: ignore[arg-type]
        return JournalStorage(journal), FileLocks(path.parent / "locks")
    database = driven(url)
    try:
        postgres = database.startswith("postgresql")
        locks: Locks = PostgresLocks(database) if postgres else FileLocks(cache / "sweeps" / digest_of(url)[:12])
        with locks.held("tables"):  # prevents concurrent table creation
            return RDBStorage(database, engine_kwargs={"pool_pre_ping": True}), locks
    except ImportError as error:
        raise KdbenchError(f"--storage {shown(url)}: {error}; pip install 'kdbench[postgres]'") from error
    except Exception as error:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        raise KdbenchError(f"--storage {shown(url)}: cannot be opened: {lines[0]}") from error
