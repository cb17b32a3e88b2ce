"""Lock files: held by one, released by death, and gone afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from kdbench.storage.locks import holder, lock_file, mark_in_use, release, tell_of_waits, unused

HOLDER = """
import sys, time
from pathlib import Path
from kdbench.storage.locks import lock_file, tell_of_waits
with lock_file(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def free(path: Path) -> bool:
    with lock_file(path, wait=False) as held:
        return held


def test_one_holds_it_and_others_are_told_or_wait(tmp_path: Path) -> None:
    path, inside, overlaps = tmp_path / "in/lock", [], []

    def work() -> None:
        for _ in range(25):
            with lock_file(path) as held:
                assert held
                inside.append(1)
                overlaps.append(len(inside) > 1)
                assert not free(path)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False] * 200
    assert free(path)
    assert list(path.parent.iterdir()) == []


def test_its_folder_may_come_and_go(tmp_path: Path) -> None:
    """As that of a suite's runs does, which the last one to leave removes."""
    path, held = tmp_path / "in/lock", []

    def work() -> None:
        for _ in range(25):
            with lock_file(path):
                held.append(1)
            with suppress(OSError):
                path.parent.rmdir()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 100
    path.parent.mkdir(exist_ok=True)
    path.parent.rmdir()
    path.parent.touch()
    with pytest.raises(FileExistsError), lock_file(path):
        pass


def test_it_is_released_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), lock_file(tmp_path / "lock"):
        raise KeyboardInterrupt
    assert free(tmp_path / "lock")


def test_it_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert not free(path)
        assert re.fullmatch(rf"process {process.pid} on .+ since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ", holder(path))
        process.kill()
    with lock_file(path) as held:
        assert held


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_it(tmp_path: Path) -> None:
    path, (read, write) = tmp_path / "lock", os.pipe()
    with lock_file(path):
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # lives until the test ends
            os._exit(0)
    try:
        assert free(path)
    finally:
        os.close(read)
        os.close(write)
        os.waitpid(child, 0)


def test_waits_are_told_and_only_these(tmp_path: Path) -> None:
    """Between both calls the time of a piece of work does not count."""
    told: list[bool] = []
    holds, waits = threading.Event(), threading.Event()

    def listen(waiting: bool) -> None:
        told.append(waiting)
        waits.set()

    def hold() -> None:
        with lock_file(tmp_path / "lock"):
            holds.set()
            waits.wait(60)

    tell_of_waits(listen)
    try:
        thread = threading.Thread(target=hold)
        thread.start()
        holds.wait(60)
        with lock_file(tmp_path / "lock", wait=False) as held:
            assert not held
        assert told == []
        with lock_file(tmp_path / "lock") as held:
            assert held
            assert told == [True, False]
        with lock_file(tmp_path / "lock"):
            pass
        assert told == [True, False]
    finally:
        tell_of_waits(lambda _: None)
        thread.join()


def test_a_lock_file_that_cannot_be_removed_fails_nothing(tmp_path: Path) -> None:
    """Such as on a file server that has lost the folder: what was done under the lock has been done."""
    path = tmp_path / "locks" / "lock"
    with lock_file(path):
        path.unlink()
        path.mkdir()
    path.rmdir()
    with lock_file(path, wait=False) as held:
        assert held


def test_who_holds_a_lock_that_nobody_signed(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff")
    (tmp_path / "empty").touch()
    assert {holder(tmp_path / name) for name in ("lock", "empty", "none")} == {"another process"}


def test_a_file_that_is_written_under_its_lock_can_be_renamed(tmp_path: Path) -> None:
    """The next holder's file, under the old name, is left alone."""
    path = tmp_path / "lock"
    with lock_file(path):
        path.rename(tmp_path / "done")
        with lock_file(path):
            pass
        path.write_text("of another")
    assert path.read_text() == "of another"
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("link", ["lock", "."])
def test_a_link_to_nowhere_is_refused(tmp_path: Path, link: str) -> None:
    folder = tmp_path / "in"
    if link == "lock":
        folder.mkdir()
    (folder / link if link == "lock" else folder).symlink_to(tmp_path / "nowhere/at all")
    with pytest.raises(OSError, match=r"File exists|symbolic links"), lock_file(folder / "lock"):
        pass


def test_a_mark_tells_others_that_a_file_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert mark_in_use(path) is None
    path.touch()
    first, second = mark_in_use(path), mark_in_use(path)
    assert first is not None
    assert second is not None
    for mark in (first, second):
        with unused(path) as free:
            assert not free
        release(mark)
    with unused(path) as free, unused(path) as again:
        assert free
        assert not again
    with unused(tmp_path / "none") as free:
        assert free


@pytest.mark.skipif(sys.platform != "linux", reason="a folder in which no folder can be made")
def test_a_folder_that_nobody_can_make_is_not_tried_for_ever() -> None:
    with pytest.raises(FileNotFoundError), lock_file(Path("/proc/none/lock")):
        pass
