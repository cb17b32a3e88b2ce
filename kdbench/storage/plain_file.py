"""Reads files that others may have put there: only plain ones, of a bounded size. A pipe would block, a device never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST = 2 * 10**9  # bytes


def read_plain(path: str | Path) -> bytes:
    """The content of a file.

    Raises OSError if it cannot be read, is no plain file or is larger than `LARGEST`, and ValueError for a path with a null
    character.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer is opened at once
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a plain file")
        if found.st_size > LARGEST:
            raise OSError(f"{found.st_size:,} bytes; expected at most {LARGEST:,}")
        with open(file, "rb", buffering=0, closefd=False) as stream:
            return stream.readall()
    finally:
        os.close(file)
