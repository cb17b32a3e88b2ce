"""Derived data on disk: content-addressed, computed once under a lock, verified when opened.

An entry is a folder `<root>/<kind>/<key>/` of plain files with a manifest of their checksums. Its key is a hash of its
identity, that is of everything it is computed from. Entries are never changed; processes that need the same entry at the same
time compute it together. A process marks the manifests of the entries that it uses, and holds the lock `<key>.lock` of one that
it makes: what is in use is not cleared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_cache_path

from kdbench.errors import CacheError, KdbenchWarning, out_of_memory
from kdbench.storage.atomic import erase, put
from kdbench.storage.digest import digest_of, file_digest
from kdbench.storage.locks import lock_file, mark_in_use, release, unused, waiting
from kdbench.storage.maker import maker
from kdbench.storage.plain_file import read_plain
from kdbench.storage.room import writing

MANIFEST = "manifest.json"
POLL_SECONDS = 0.2  # seconds between attempts to acquire a lock whose holder can be helped
PARTIAL = ".partial-"  # before the key of an entry that is being made
KEY = re.compile(r"[0-9a-f]{24}")
UNFINISHED = "checkpoint.", ".checkpoint.", ".tmp"  # how files of unfinished work begin; the last ones are of earlier versions


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


class Cleared(NamedTuple):
    """What was removed from a cache."""

    bytes: int
    left: int  # entries and checkpoints that other processes use


class Cache:
    """The cache under one root folder. `entry` is the only way to add and read entries. `scratch` is the folder for unfinished
    work, by default one in the root."""

    def __init__(self, root: Path | None = None, scratch: Path | None = None) -> None:
        self.root = root or default_root()
        self._scratch = scratch or self.root / "scratch"
        self._verified: dict[Path, Entry] = {}
        self._marks: dict[Path, int] = {}  # of entries in use

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_marks": {}}  # another process has marks of its own

    def __del__(self) -> None:
        self.release()

    def entry(
        self,
        kind: str,
        identity: dict[str, Any],
        make: Callable[[Path], None],
        resumable: Collection[str] = (),
        help_along: Callable[[Path], None] | None = None,
    ) -> Entry:
        """Opens the entry of `identity`; if it does not exist, first calls `make(folder)` to write its files.

        A second process that needs the same entry waits for the first. A damaged entry is reported and made again. The files
        named in `resumable` are kept if `make` is stopped (killed, interrupted, out of disk), and the next `make` must detect
        which of them are complete. After any other error nothing is kept: input or code must be corrected first.

        While a process waits for a resumable entry, its `help_along` is called repeatedly with the folder that the first
        process is filling. It must find unclaimed work, and return when the folder is gone.

        Until `release`, or the end of this cache, other processes do not clear the entry.
        """
        folder = self.root / kind / digest_of(identity)[:24]
        if self._marked(folder) and folder in self._verified:
            return self._verified[folder]
        self._verified.pop(folder, None)
        if entry := self._intact(folder):
            return entry
        with _held(folder, help_along):
            if entry := self._intact(folder):
                return entry
            if os.path.lexists(folder):
                warnings.warn(f"cache entry is damaged and is made again: {_damage(folder)}", KdbenchWarning, stacklevel=3)
                erase(folder)
            self._make(folder, identity, make, resumable)
            self._marked(folder)
            self._verified[folder] = entry = _read_manifest(folder)
            return entry

    def release(self) -> None:
        """Lets other processes clear the entries that were opened. They are opened again when they are needed."""
        while self._marks:
            release(self._marks.popitem()[1])

    def holds(self, kind: str, identity: dict[str, Any]) -> bool:
        """Whether the entry exists; it may be damaged."""
        return (self.root / kind / digest_of(identity)[:24] / MANIFEST).is_file()

    def _marked(self, folder: Path) -> bool:
        """Marks an entry as in use. Returns False if there is none."""
        if not (folder / MANIFEST).is_file():
            return False
        if folder not in self._marks and (mark := mark_in_use(folder / MANIFEST)) is not None:
            self._marks[folder] = mark
        return folder in self._marks

    def _intact(self, folder: Path) -> Entry | None:
        """The entry, marked as in use; None if there is none or it is damaged."""
        if self._marked(folder):
            if not _damage(folder):
                return self._verified.setdefault(folder, _read_manifest(folder))
            release(self._marks.pop(folder))
        return None

    def _make(self, folder: Path, identity: dict[str, Any], make: Callable[[Path], None], resumable: Collection[str]) -> None:
        partial = _partial(folder)
        _begin(partial, resumable)
        keep = False
        try:
            started = time.perf_counter()
            with writing(folder):
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
            with writing(folder):
                (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
                put(partial, folder)
        except BaseException as error:
            keep = bool(resumable) and (not isinstance(error, Exception) or _of_the_machine(error))
            raise
        finally:
            if not keep:
                shutil.rmtree(partial, ignore_errors=True)

    def entries(self) -> Iterator[Entry | CacheError]:
        """All entries, unverified; a CacheError in place of an entry whose manifest cannot be read."""
        for folder in (path for kind in _listed(self.root) for path in _listed(kind)):
            if not folder.name.startswith(".") and (folder / MANIFEST).exists():
                try:
                    yield _read_manifest(folder)
                except CacheError as error:
                    yield error

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Holds a folder for unfinished work, such as checkpoints, within the context. Others wait for it."""
        folder = self._scratch / name
        with lock_file(_lock(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                yield folder
            finally:
                with suppress(OSError):  # not empty
                    folder.rmdir()

    def discard(self, name: str) -> None:
        """Removes unfinished work."""
        folder = self._scratch / name
        if folder.exists():
            with lock_file(_lock(folder)):
                shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> Cleared:
        """Removes what the cache has written and no other process uses, including checkpoints of unfinished runs.

        Other files under the root stay: a mistyped path must not delete a user's files.
        """
        below = [path for kind in _listed(self.root) for path in _listed(kind)]
        own = [path for path in below if KEY.fullmatch(path.name) and (path / MANIFEST).is_file()]
        own += [path for path in below if path.name.startswith(PARTIAL) and path.is_dir()]
        own += [path for path in _listed(self._scratch) if path.is_dir() and _unfinished(path)]
        locks = [path for path in below if path.suffix == ".lock" and KEY.fullmatch(path.stem)]
        for lock in locks:
            with lock_file(lock, wait=False):  # left by a dead process: gone afterwards
                pass
        return self._remove(own, [lock.parent for lock in locks])

    def remove(self, entries: Iterable[Entry]) -> Cleared:
        """Removes those of some entries that no other process uses."""
        return self._remove([entry.folder for entry in entries])

    def _remove(self, folders: Collection[Path], tidied: Iterable[Path] = ()) -> Cleared:
        self.release()
        size = left = 0
        for folder in folders:
            with lock_file(_lock(folder), wait=False) as locked, unused(folder / MANIFEST) as free:
                if locked and free:
                    size += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    left += 1
        for folder in [*{folder.parent for folder in folders}, *tidied, self.root]:
            with suppress(OSError):  # not empty: it holds other files
                folder.rmdir()
        return Cleared(size, left)


class FilledCache(Cache):
    """A cache that opens entries of some `kinds` and makes none of these: to look at what there is, without training for it."""

    def __init__(self, root: Path, kinds: Iterable[str]) -> None:
        super().__init__(root)
        self.kinds = frozenset(kinds)

    def _make(self, folder: Path, identity: dict[str, Any], make: Callable[[Path], None], resumable: Collection[str]) -> None:
        if folder.parent.name in self.kinds:
            raise CacheError(f"{folder}: is not in the cache, or was damaged")
        super()._make(folder, identity, make, resumable)


def _of_the_machine(error: Exception) -> bool:
    """Whether an error tells nothing of the code that raised it: what was made before it is right."""
    return isinstance(error, OSError) or out_of_memory(error)


def _partial(folder: Path) -> Path:
    """The folder in which an entry is made, by one process at a time."""
    return folder.with_name(f"{PARTIAL}{folder.name}")


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder, in order; nothing if it is none, or another process has just removed it."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _unfinished(folder: Path) -> bool:
    """Whether a folder in that for unfinished work is the cache's own."""
    names = [path.name for path in _listed(folder)]
    return not names or any(name.startswith(UNFINISHED) for name in names)


def _lock(folder: Path) -> Path:
    """The lock of an entry, of one that is being made, or of unfinished work."""
    name = folder.name
    return folder.with_name(f"{name[len(PARTIAL) :][:24] if name.startswith(PARTIAL) else name}.lock")


def _begin(partial: Path, resumable: Collection[str]) -> None:
    """Makes the folder, or removes from the one that a process has left whatever is not to be resumed."""
    if partial.is_symlink() or not partial.is_dir():
        erase(partial)
    partial.mkdir(exist_ok=True)  # with the user's umask: a cache may be shared
    for path in partial.iterdir():
        if path.is_symlink() or path.name not in resumable:
            erase(path)


@contextmanager
def _held(folder: Path, help_along: Callable[[Path], None] | None) -> Iterator[None]:
    """Holds the lock of an entry; while waiting, helps its holder."""
    while True:
        with lock_file(_lock(folder), wait=help_along is None) as held:
            if held:
                yield
                return
        if help_along is not None and _partial(folder).is_dir():
            help_along(_partial(folder))
        with waiting():
            time.sleep(POLL_SECONDS)


def _damage(folder: Path) -> str:
    """What is wrong with an entry, "" if nothing is."""
    try:
        entry = _read_manifest(folder)
        if (key := digest_of(entry.identity)[:24]) != folder.name:
            raise CacheError(f"{folder / MANIFEST}: found the identity of entry {key}")
        entry.verify()
    except CacheError as error:
        return str(error)
    return ""


def _read_manifest(folder: Path) -> Entry:
    path = folder / MANIFEST
    try:
        manifest = json.loads(read_plain(path))
        files = {name: {"bytes": int(file["bytes"]), "sha256": str(file["sha256"])} for name, file in manifest["files"].items()}
        made_by = {str(plugin): str(package) for plugin, package in manifest.get("made_by", {}).items()}
        return Entry(folder, dict(manifest["identity"]), files, float(manifest["seconds"]), str(manifest["made"]), made_by)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheError(f"{path}: not a readable manifest ({type(error).__name__}: {error})") from error
