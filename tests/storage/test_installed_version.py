"""Versions are those that the standard library finds, without a look at descriptions."""

from __future__ import annotations

from importlib.metadata import distributions, version
from itertools import islice
from pathlib import Path

import pytest

from kdbench.storage.installed_version import installed_version


def test_every_installed_package_has_the_version_that_the_standard_library_finds() -> None:
    names = ["torch", "timm", *islice((found.metadata["Name"] for found in distributions()), 30)]
    assert [installed_version(name) for name in names] == [version(name) for name in names]


def test_no_package_has_no_version() -> None:
    assert installed_version("no-such-package") == ""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("METADATA", "Metadata-Version: 2.1\nName: told\nVersion: 1.5\n\nVersion: 9\n"),
        ("METADATA", "Metadata-Version: 2.1\r\nName: told\r\nVersion: 1.5\r\n\r\nVersion: 9\r\n"),
        ("METADATA", "Metadata-Version: 2.1\nName: told\nSummary: one\n        two\nversion: 1.5"),
        ("PKG-INFO", "Metadata-Version: 1.0\nName: told\nVersion: 1.5\n"),
    ],
)
def test_the_head_alone_tells(file: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "told-1.5.dist-info"
    info.mkdir()
    (info / file).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed_version("told") == "1.5"
