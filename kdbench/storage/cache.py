"""Derived data on disk: content-addressed, computed once under a lock, verified when opened.

An entry is a folder `<root>/<kind>/<key>/` of plain files with a manifest of their checksums. Its key is a hash of its
identity, that is of everything it is computed from. Entries are never changed; processes that need the same entry at the same
time compute it together.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from platformdirs import user_cache_path

from kdbench.errors import CacheError, KdbenchWarning
from kdbench.storage.digest import digest_of, file_digest
from kdbench.storage.locks import waiting
from kdbench.storage.maker import maker

MANIFEST = "manifest.json"
POLL_SECONDS = 0.2  # seconds between attempts to acquire a lock whose holder can be helped
KEY = re.compile(r"[0-9a-f]{24}")


def default_root() -> Path:
    """KDBENCH_CACHE, or the user's cache folder."""
    return Path(os.environ.get("KDBENCH_CACHE") or user_cache_path("kdbench"))


@dataclass(frozen=True)
class Entry:
    """An existing entry: its folder and the contents of its manifest."""

    folder: Path
    identity: dict[str, Any]
    files: dict[str, dict[str, Any]]  # name → {"bytes", "sha256"}
    seconds: float  # that computing it took
    made: str
    made_by: dict[str, str] = field(default_factory=dict)  # plugins, such as "teacher openclip", with package and version

    @property
    def kind(self) -> str:
        return self.folder.parent.name

    @property
    def bytes(self) -> int:
        return sum(int(file["bytes"]) for file in self.files.values())

    @property
    def digest(self) -> str:
        """A hash of the entry's contents."""
        return digest_of({name: file["sha256"] for name, file in self.files.items()})

    def verify(self) -> None:
        """Raises CacheError, naming the file, if one is missing, truncated or altered."""
        for name, expected in self.files.items():
            path = self.folder / name
            if not path.is_file():
                raise CacheError(f"{path}: missing")
            if path.stat().st_size != expected["bytes"]:
                raise CacheError(f"{path}: found {path.stat().st_size} bytes, expected {expected['bytes']}")
            found = file_digest(path)
            if found != expected["sha256"]:
                raise CacheError(f"{path}: found sha256 {found[:12]}…, expected {expected['sha256'][:12]}…")


class Cache:
    """The cache under one root folder. `entry` is the only way to add and read entries."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()
        self._verified: dict[Path, Entry] = {}

    def entry(
        self,
        kind: str,
        identity: dict[str, Any],
        make: Callable[[Path], None],
        resumable: bool = False,
        help_along: Callable[[Path], None] | None = None,
    ) -> Entry:
        """Opens the entry of `identity`; if it does not exist, first calls `make(folder)` to write its files.

        A second process that needs the same entry waits for the first. A damaged entry is reported and made again. With
        `resumable`, the folder is kept if `make` is stopped (killed, interrupted, out of disk), and the next `make` must
        detect which files are complete. After any other error the folder is removed: input or code must be corrected first.

        While a process waits for a resumable entry, its `help_along` is called repeatedly with the folder that the first
        process is filling. It must find unclaimed work, and return when the folder is gone.
        """
        folder = self.root / kind / digest_of(identity)[:24]
        if folder in self._verified:
            return self._verified[folder]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _held(FileLock(f"{folder}.lock"), _partial(folder), help_along):
            entry = self._open(folder) or self._make(folder, identity, make, resumable)
        self._verified[folder] = entry
        return entry

    def holds(self, kind: str, identity: dict[str, Any]) -> bool:
        """Whether the entry exists; it may be damaged."""
        return (self.root / kind / digest_of(identity)[:24] / MANIFEST).is_file()

    def _open(self, folder: Path) -> Entry | None:
        if not folder.exists():
            return None
        try:
            entry = _read_manifest(folder)
            entry.verify()
            return entry
        except CacheError as error:
            warnings.warn(f"cache entry is damaged and is made again: {error}", KdbenchWarning, stacklevel=4)
            shutil.rmtree(folder)
            return None

    def _make(self, folder: Path, identity: dict[str, Any], make: Callable[[Path], None], resumable: bool) -> Entry:
        # The lock allows one maker at a time, so the folder of a resumable entry needs no process number in its name.
        partial = _partial(folder) if resumable else folder.with_name(f".partial-{folder.name}-{os.getpid()}")
        if not resumable:
            shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(exist_ok=resumable)  # with the user's umask: a cache may be shared
        (partial / MANIFEST).unlink(missing_ok=True)  # left by a process killed at its last step
        keep = False
        try:
            started = time.perf_counter()
            make(partial)
            files = {
                path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in sorted(partial.iterdir())
            }
            manifest = {
                "identity": identity,
                "files": files,
                "seconds": round(time.perf_counter() - started, 3),
                "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                **({"made_by": dict(maker().plugins)} if maker().plugins else {}),
            }
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
            partial.rename(folder)
        except BaseException as error:
            keep = resumable and (not isinstance(error, Exception) or _of_the_machine(error))
            raise
        finally:
            if not keep:
                shutil.rmtree(partial, ignore_errors=True)
        return _read_manifest(folder)

    def entries(self) -> Iterator[Entry | CacheError]:
        """All entries, unverified; a CacheError in place of an entry whose manifest cannot be read."""
        for manifest in sorted(self.root.glob(f"*/*/{MANIFEST}")):
            if not manifest.parent.name.startswith("."):
                try:
                    yield _read_manifest(manifest.parent)
                except CacheError as error:
                    yield error

    def scratch(self, name: str) -> Path:
        """A folder for unfinished work, such as checkpoints."""
        folder = self.root / "scratch" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear(self) -> int:
        """Removes everything that the cache has written, including checkpoints of unfinished runs; returns the bytes freed.

        Other files under the root stay: a mistyped path must not delete a user's files.
        """
        entries = [path.parent for path in self.root.glob(f"*/*/{MANIFEST}")]
        partial = [path for path in self.root.glob("*/.partial-*") if path.is_dir()]
        scratch = [path.parent for path in self.root.glob("scratch/*/checkpoint.safetensors*")]
        own = {path for path in entries if KEY.fullmatch(path.name)} | set(partial) | set(scratch)
        locks = [path for path in self.root.glob("*/*.lock") if KEY.fullmatch(path.stem)]
        files = [file for folder in own for file in folder.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in [*files, *locks])
        for folder in own:
            shutil.rmtree(folder, ignore_errors=True)
        for lock in locks:
            lock.unlink(missing_ok=True)
        self._tidy()
        return size

    def remove(self, entries: Iterable[Entry]) -> int:
        """Removes some entries; returns the bytes freed."""
        size = 0
        for entry in entries:
            size += entry.bytes
            shutil.rmtree(entry.folder, ignore_errors=True)
            entry.folder.with_name(f"{entry.folder.name}.lock").unlink(missing_ok=True)
        self._tidy()
        return size

    def _tidy(self) -> None:
        for folder in [*self.root.glob("*/*/"), *self.root.glob("*/"), self.root]:
            with suppress(OSError):  # not empty: it holds other files
                folder.rmdir()
        self._verified.clear()


class FilledCache(Cache):
    """A cache that opens entries of some `kinds` and makes none of these: to look at what there is, without training for it."""

    def __init__(self, root: Path, kinds: Iterable[str]) -> None:
        super().__init__(root)
        self.kinds = frozenset(kinds)

    def _make(self, folder: Path, identity: dict[str, Any], make: Callable[[Path], None], resumable: bool) -> Entry:
        if folder.parent.name in self.kinds:
            raise CacheError(f"{folder}: is not in the cache, or was damaged")
        return super()._make(folder, identity, make, resumable)


def _of_the_machine(error: Exception) -> bool:
    """Whether an error tells nothing of the code that raised it: what was made before it is right."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, OSError | MemoryError) or "OutOfMemoryError" in names  # torch's, which is not imported here


def _partial(folder: Path) -> Path:
    """The folder in which a resumable entry is written."""
    return folder.with_name(f".partial-{folder.name}")


@contextmanager
def _held(lock: BaseFileLock, partial: Path, help_along: Callable[[Path], None] | None) -> Iterator[None]:
    """Acquires the lock; while waiting, helps its holder."""
    wait: AbstractContextManager[None] = nullcontext()  # the first attempt does not wait
    timeout = 0.0
    while True:
        try:
            with wait:
                lock.acquire(timeout=timeout)
            break
        except Timeout:
            if help_along is not None and partial.is_dir():
                help_along(partial)
            wait, timeout = waiting(), -1 if help_along is None else POLL_SECONDS
    try:
        yield
    finally:
        lock.release()


def _read_manifest(folder: Path) -> Entry:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        files = {name: {"bytes": int(file["bytes"]), "sha256": str(file["sha256"])} for name, file in manifest["files"].items()}
        made_by = {str(plugin): str(package) for plugin, package in manifest.get("made_by", {}).items()}
        return Entry(folder, dict(manifest["identity"]), files, float(manifest["seconds"]), str(manifest["made"]), made_by)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheError(f"{path}: not a readable manifest ({type(error).__name__}: {error})") from error
