"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes `path` when the block ends, replacing what was there; nothing is left if it raises.

    The content is on the disk before the name is, so that a power cut leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_bytes(path: Path, content: bytes) -> Path:
    """Writes `content` whole or not at all."""
    with written(path) as stream:
        stream.write(content)
    return path


def write_text(path: Path, content: str) -> Path:
    """Writes `content` in UTF-8, whole or not at all."""
    return write_bytes(path, content.encode())
