"""Locks that a dead process does not hold."""

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
assert locks.take("a")
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path: Path) -> FileLocks:
    return FileLocks(tmp_path / "locks")


def test_one_at_a_time(locks: FileLocks) -> None:
    other = FileLocks(locks.folder)
    assert locks.take("a")
    assert not other.take("a")
    assert other.take("b")
    locks.give_back("a")
    assert other.take("a")


def test_held_within_the_block_only(locks: FileLocks) -> None:
    other = FileLocks(locks.folder)
    with locks.held("a"):
        assert not other.take("a")
    assert other.take("a")


def test_the_lock_of_a_killed_process_is_free(locks: FileLocks) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(locks.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "taken\n"
    assert not locks.take("a")
    process.kill()
    process.wait()
    assert locks.take("a")
