"""Locks that end with their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.tuning.locks import FileLocks

HOLDER = """
import sys
from pathlib import Path
from kdbench.tuning.locks import FileLocks
locks = FileLocks(Path(sys.argv[1]))
assert locks.acquire("a")
print("acquired", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path: Path) -> FileLocks:
    return FileLocks(tmp_path / "locks")


def test_one_at_a_time(locks: FileLocks) -> None:
    other = FileLocks(locks.folder)
    assert locks.acquire("a")
    assert not other.acquire("a")
    assert other.acquire("b")
    locks.release("a")
    assert other.acquire("a")


def test_held_within_the_block_only(locks: FileLocks) -> None:
    other = FileLocks(locks.folder)
    with locks.held("a"):
        assert not other.acquire("a")
    assert other.acquire("a")


def test_the_lock_of_a_killed_process_is_free(locks: FileLocks) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(locks.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "acquired\n"
    assert not locks.acquire("a")
    process.kill()
    process.wait()
    assert locks.acquire("a")
