"""A folder is written whole or not at all, and never over anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.deploy.export.folder import new_folder, sizes
from kdbench.errors import KdbenchError


def test_it_takes_its_place_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "a/b"
    with new_folder(target) as partial:
        (partial / "sub").mkdir()
        (partial / "sub/file").write_bytes(b"123")
        assert not target.exists()
    assert sizes(target) == {"sub/file": 3}
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new") as partial:
        (partial / "file").touch()
        (tmp_path / "new").mkdir()
    assert sizes(tmp_path / "new") == {"file": 0}


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with new_folder(tmp_path / "new") as partial:
            (partial / "file").touch()
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(KdbenchError, match=r"is not empty, it holds kept; nothing was written"), new_folder(tmp_path):
        pytest.fail("the block runs")
    with pytest.raises(KdbenchError, match="kept is a file"), new_folder(tmp_path / "kept"):
        pytest.fail("the block runs")
    assert sizes(tmp_path) == {"kept": 0}


def test_what_somebody_wrote_there_meanwhile_stays(tmp_path: Path) -> None:
    def write() -> None:
        with new_folder(tmp_path / "new") as partial:
            (partial / "file").touch()
            (tmp_path / "new").mkdir()
            (tmp_path / "new/theirs").touch()

    with pytest.raises(KdbenchError, match="it holds theirs"):
        write()
    assert sizes(tmp_path) == {"new/theirs": 0}
