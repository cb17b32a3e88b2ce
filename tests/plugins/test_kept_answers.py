"""An answer is asked for once, and again as soon as anything has changed that it may depend on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.plugins import kept_answers
from kdbench.plugins.kept_answers import kept_answer


class Folder:
    """A dataset of the files of a folder, which counts how often it is read."""

    def __init__(self, root: Path) -> None:
        self.root, self.reads = root, 0
        for name in ("table.csv", "images/train/a.jpg", "images/train/b.jpg", "images/test/c.jpg"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)

    def read(self) -> list[Path]:
        self.reads += 1
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def answer(self) -> list[Path]:
        return kept_answer(str(self.root), self.read)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(kept_answers, "SETTLED_NS", -(10**18))  # as if all files were old
    return Folder(tmp_path / "data")


def test_what_has_not_changed_is_read_once(folder: Folder) -> None:
    assert folder.answer() == folder.answer() == folder.answer() == folder.read()
    assert folder.reads == 2


CHANGES: dict[str, Callable[[Path], object]] = {
    "a table": lambda root: (root / "table.csv").write_text("another"),
    "an image": lambda root: (root / "images/test/c.jpg").write_text("another"),
    "an image that is added": lambda root: (root / "images/test/d.jpg").write_text("new"),
    "an image that goes": lambda root: (root / "images/train/a.jpg").unlink(),
    "a folder that is added": lambda root: shutil.copytree(root / "images/test", root / "images/validation"),
    "a table of another form": lambda root: (root / "table.json").write_text("new"),
    "everything": shutil.rmtree,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_read_again(change: str, folder: Folder) -> None:
    folder.answer()
    CHANGES[change](folder.root)
    assert folder.answer() == folder.read()
    assert folder.reads == 3


def test_another_environment_or_working_folder_is_another_question(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.answer()
    monkeypatch.setenv("KDBENCH_ELSEWHERE", str(tmp_path))
    folder.answer()
    monkeypatch.chdir(tmp_path)
    folder.answer()
    assert folder.reads == 3


def test_what_may_have_changed_while_it_was_read_is_not_kept(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "SETTLED_NS", 3 * 10**9)
    folder.answer()
    folder.answer()
    assert folder.reads == 2


def test_an_answer_without_files_is_not_kept(folder: Folder) -> None:
    shutil.rmtree(folder.root)
    assert folder.answer() == []
    folder.root.mkdir()
    (folder.root / "table.csv").write_text("new")
    assert folder.answer() == [folder.root / "table.csv"]
