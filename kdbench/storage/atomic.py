"""Files that are written whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path whose file is renamed to `path` when the block ends and removed if the block raises.

    The content is synced to disk before the rename: a power cut leaves either the old file or the new one.
    """
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file `path` when the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as stream:
        yield stream


def write_bytes(path: Path, content: bytes) -> Path:
    """Writes `content` whole or not at all."""
    with written(path) as stream:
        stream.write(content)
    return path


def write_text(path: Path, content: str) -> Path:
    """Writes `content` in UTF-8, whole or not at all."""
    return write_bytes(path, content.encode())
