"""A student is measured in a fresh process, and one that dies says how."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kdbench.deploy.profile.own_process import Answer, NotMeasured, measured_apart, profile_in
from tests.support.distributions import installed
from tests.support.profiled import REQUEST


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the toys a plugin of every process started from here, as an installed distribution is."""
    monkeypatch.setenv("PYTHONPATH", installed(tmp_path / "site", "tests.support.toys:TOYS"))


def test_a_fresh_process_measures() -> None:
    profile = measured_apart(REQUEST)
    assert profile.parameters == 4096 * (108 + 1 + 18 + 1) + 1
    assert (profile.gallery, profile.threads, sorted(profile.parts["image"].latency)) == (20, 1, [1, 2])
    memory = profile.memory
    assert memory is not None
    assert memory.kind == "resident"
    assert memory.peak_mb >= memory.before_mb * 0.999
    assert memory.peak_mb - memory.baseline_mb >= 4 * profile.parameters / 1e6
    assert profile.size_bytes > 4 * profile.parameters


def test_a_process_that_dies_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\necho out of memory >&2\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(NotMeasured, match=r"(?s)signal 9.*out of memory"):
        measured_apart(REQUEST)


def test_a_process_that_answers_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\necho \'{"profile": {"format": 3}}\'\n')
    other.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(other))
    with pytest.raises(NotMeasured, match="the measuring process returned no profile"):
        measured_apart(REQUEST)


def test_a_reason_in_place_of_a_profile() -> None:
    with pytest.raises(NotMeasured, match="no student is called 'x'"):
        profile_in(Answer(reason="no student is called 'x'"))
