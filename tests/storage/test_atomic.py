"""Files written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.storage.atomic import write_bytes, write_text, written


def test_what_is_written_replaces_what_was_there(tmp_path: Path) -> None:
    path = write_text(tmp_path / "new" / "folder" / "file.txt", "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_bytes(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "file", "old")

    def half() -> None:
        with written(path) as stream:
            stream.write(b"half of the n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text(tmp_path / "file", "old")
    code = (
        "import os, signal, sys; from pathlib import Path; from kdbench.storage.atomic import written\n"
        "with written(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'half'); stream.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode < 0
    assert path.read_text() == "old"
    write_text(path, "new")
    assert (path.read_text(), os.listdir(tmp_path)) == ("new", ["file"])  # what the killed one left is gone


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(file: int) -> None:
        done.append(f"sync {os.fstat(file).st_size}")
        fsync(file)

    def watched_replace(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_bytes(tmp_path / "file", b"12345")
    assert done == ["sync 5", "rename"]
