"""Files and folders that are written whole or not at all: under a lock, synced to disk, then renamed.

What is half-written has a name that does not depend on the process: what a killed one left is written over by the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kdbench.storage.locks import lock_file
from kdbench.storage.room import writing


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file `path` when the block ends; nothing is left if the block raises.

    The content is synced to disk before the rename: a power cut leaves either the old file or the new one.
    """
    partial = path.with_name(f"{path.name}.partial")
    with writing(partial), lock_file(partial), partial.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
        os.replace(partial, path)


def write_bytes(path: Path, content: bytes) -> Path:
    """Writes `content` whole or not at all."""
    with written(path) as stream:
        stream.write(content)
    return path


def write_text(path: Path, content: str) -> Path:
    """Writes `content` in UTF-8, whole or not at all."""
    return write_bytes(path, content.encode())


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, for the block to fill and to `put` in its place. What is left of it is removed."""
    partial = target.with_name(f".{target.name}.partial")
    with lock_file(target.with_name(f".{target.name}.lock")):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def erase(path: Path) -> None:
    """Removes whatever lies there: a file, a folder with all that is in it, a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put(partial: Path, target: Path) -> None:
    """Renames a file, or a folder with its files, after these have been synced to disk. Replaces a file or an empty folder."""
    for path in (partial, *partial.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    os.replace(partial, target)
