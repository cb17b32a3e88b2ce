"""Suites found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import SuiteError
from kdbench.suite import shipped
from tests.support.paths import ROOT


def test_a_checkout_has_its_own_folder() -> None:
    assert shipped.folder() == ROOT / "suites"
    assert {"quickstart", "emoji", "flickr30k"} <= set(shipped.suites())
    assert list(shipped.suites()) == sorted(shipped.suites())  # emoji before emoji-sweep, which files are not
    assert "karpathy" not in shipped.suites()
    assert "students/resnet-48px" in shipped.presets()


def test_files_come_before_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.find_suite("quickstart") == ROOT / "suites/quickstart.yaml"
    Path("quickstart").write_text("name: mine\n")
    assert shipped.find_suite("quickstart") == Path("quickstart")


def test_a_folder_hides_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quickstart").mkdir()
    monkeypatch.chdir(tmp_path)
    assert shipped.find_suite("quickstart") == shipped.suites()["quickstart"]


@pytest.mark.parametrize("given", ["quikstart", "suites/quikstart.yaml", "/tmp/none/quickstart.yaml"])
def test_the_nearest_is_named(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SuiteError, match=r"no such file.*did you mean 'quickstart'\?"):
        shipped.find_suite(given)


@pytest.mark.parametrize("name", shipped.suites())
def test_every_suite_has_one_line(name: str) -> None:
    text = shipped.description(shipped.suites()[name])
    assert 10 < len(text) < 130
    assert "\n" not in text
