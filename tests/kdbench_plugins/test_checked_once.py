"""Checks that are kept once passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.storage.cache import Cache
from kdbench_plugins import checked_once
from kdbench_plugins.checked_once import check_once


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path / "cache"))
    return []


def test_a_check_that_passed_is_not_made_again(calls: list[object]) -> None:
    for model in ("RN50", "RN50", "ViT-B-32"):
        check_once(lambda: calls.append(None), "teacher", model, {"config": [1, None]})
    assert len(calls) == 2


def test_a_check_that_fails_is(calls: list[object]) -> None:
    def fail() -> None:
        calls.append(None)
        raise KdbenchError("no such model")

    for _ in range(2):
        with pytest.raises(KdbenchError, match="no such model"):
            check_once(fail, "RN5")
    assert len(calls) == 2
    assert not list(Cache().entries())


def test_other_libraries_check_again(calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    check_once(lambda: calls.append(None), "RN50")
    monkeypatch.setattr(checked_once, "LIBRARIES", ("numpy",))
    check_once(lambda: calls.append(None), "RN50")
    assert len(calls) == 2


def test_without_a_cache_it_is_made_each_time(calls: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        check_once(lambda: calls.append(None), "RN50")
    assert len(calls) == 2
