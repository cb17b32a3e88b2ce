"""A small file system, to fill or to make read-only. Root, whom permissions do not limit, meets its end as anyone does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mounts `size` bytes of memory at a folder. Skips the test, saying why, where nothing may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder), skip=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, size: int) -> None:
    """Makes room."""
    _mount("-o", f"remount,size={size}", str(folder))


def protect(folder: Path) -> None:
    """From here on, nothing can be written."""
    _mount("-o", "remount,ro", str(folder))


def _mount(*arguments: str, skip: bool = False) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
        reason = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        reason = str(error)
    if reason and skip:
        pytest.skip(f"no small file system can be mounted here ({reason}); tests/storage/test_room.py limits files instead")
    assert not reason, reason
