"""A digest of what files hold, wherever they lie. Contents are hashed once for each state of the files.

The cache keeps the digests under the sizes, times and inodes of the files: as long as these stay, no content is read again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.storage.cache import Cache
from kdbench.storage.digest import digest_of, file_digest

FORMAT = 1
THREADS = 4
SETTLED_NS = 3 * 10**9  # a file changed so recently may change again without another time: clocks of file systems are coarse
DIGESTS = "digests.json"
Listed = tuple[str, Path]  # the name within a folder, "" for a file that was given itself; the file


def content_digest(paths: Iterable[Path], cache: Cache, results: Path | None = None) -> str:
    """A digest of the contents of files and folders in the given order; "" without any.

    Names count within folders only: moving or renaming what is given changes nothing. Links count as what they lead to. Hidden
    files in folders do not count, nor do the cache and the folder of `results` in one, which change with each run. A file that
    does not exist, or is a device or a pipe, counts as such. Raises KdbenchError if a file cannot be read.
    """
    own = {os.path.realpath(one) for one in (cache.root, results) if one is not None}
    files = [listed for path in paths for listed in _files(path, own)]
    if not files:
        return ""
    try:
        found = _digests([file for _, file in files], cache)
    except OSError as error:
        raise KdbenchError(
            f"{error.filename}: cannot be read ({error}); a run's record holds the digest of what it reads"
        ) from error
    return digest_of([[name, digest] for (name, _), digest in zip(files, found, strict=True)])


def _files(path: Path, own: set[str]) -> Iterator[Listed]:
    if not path.is_dir():
        yield "", path
        return
    for folder, folders, names in os.walk(path, followlinks=True):
        shown = sorted(name for name in folders if not name.startswith("."))
        inner = {name: Path(folder, name) for name in shown}
        folders[:] = [name for name, one in inner.items() if not _leads_back(one, path) and os.path.realpath(one) not in own]
        for name in sorted(names):
            if not name.startswith("."):
                file = Path(folder, name)
                yield file.relative_to(path).as_posix(), file


def _leads_back(folder: Path, root: Path) -> bool:
    """Whether a folder is a link to one that it lies in: following it would never end."""
    if not folder.is_symlink():
        return False
    real = folder.resolve()
    around = folder.parents[: len(folder.relative_to(root).parts)]
    return any(real == one.resolve() for one in around)


def _digests(files: list[Path], cache: Cache) -> list[str | None]:
    """sha256 of each file, None for one that does not exist."""
    for _ in range(2):
        before = [state_of(file) for file in files]
        now = time.time_ns()
        # A time in the future is another clock's and tells nothing.
        young = any(0 <= now - moment < SETTLED_NS for state in before if state for moment in state[1:3])
        found = _hashed(files) if young else _kept(files, before, cache)
        if [state_of(file) for file in files] == before:
            return found
    raise KdbenchError(f"{_common(files)}: changes while it is read; run again when it is complete")


def _kept(files: list[Path], states: list[tuple[int, ...] | None], cache: Cache) -> list[str | None]:
    def make(folder: Path) -> None:
        (folder / DIGESTS).write_text(json.dumps(_hashed(files)), encoding="utf-8")

    listed = [[os.path.abspath(file), state] for file, state in zip(files, states, strict=True)]
    identity = {"format": FORMAT, "of": _common(files), "files": len(files), "states": digest_of(listed)}
    entry = cache.entry("contents", identity, make)
    found: list[str | None] = json.loads((entry.folder / DIGESTS).read_text(encoding="utf-8"))
    return found


def _hashed(files: list[Path]) -> list[str | None]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_hash, files))


def _hash(file: Path) -> str | None:
    try:
        return file_digest(file) if file.is_file() else None
    except FileNotFoundError:
        return None


def state_of(file: Path) -> tuple[int, ...] | None:
    """Size, times and inode. The time of the inode's last change cannot be set by tools that keep a file's own time."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _common(files: list[Path]) -> str:
    """The file, or the folder that holds all."""
    return os.path.commonpath([os.path.abspath(file) for file in files])
