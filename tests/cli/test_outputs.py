"""Where commands write is looked at before they work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.cli.outputs import output
from kdbench.errors import KdbenchError
from kdbench.records.files import read_record
from kdbench.records.names import ARRAYS, TRACE, UNITS
from tests.support.made_records import several

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("suffix", [".json", ARRAYS, TRACE, UNITS])
def test_no_record_is_replaced(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=f"ab{suffix}: found the name of a record"):
        output(tmp_path / f"0123456789ab{suffix}")


def test_a_folder_and_a_file_in_the_place_of_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KdbenchError, match="found a folder; expected the name of a file"):
        output(tmp_path)
    with pytest.raises(KdbenchError, match=r"found the file .*file where a folder is needed"):
        output(tmp_path / "file" / "page.html")
    assert output(tmp_path, folder=True) == tmp_path
    assert output(tmp_path / "new" / "page.html") == tmp_path / "new" / "page.html"
    assert output(tmp_path / "file") == tmp_path / "file"


@pytest.mark.parametrize("words", [["submit", "results", "--out"], ["leaderboard", "results", "--report", "csv="]])
def test_what_commands_read_stays(words: list[str], typed: Command, tmp_path: Path) -> None:
    path = several(tmp_path / "results", 2)[0]
    record = read_record(path)
    command = [*words[:-1], f"{words[-1]}{path}"] if words[-1].endswith("=") else [*words, str(path)]
    code, _, err = typed(*command)
    assert code == 2
    assert "found the name of a record" in err
    assert read_record(path) == record


def test_a_working_folder_that_was_removed(typed: Command, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    code, _, err = typed("info")
    assert code == 2
    assert "the working folder: found that it was removed" in err


def test_a_link_to_itself(typed: Command, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    code, _, err = typed("cache", "list", "--cache", "loop")
    assert code == 2
    assert "loop: found a symbolic link that leads to itself" in err
