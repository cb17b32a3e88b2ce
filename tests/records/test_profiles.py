"""Profiles on disk: found, read with the file in every error, and given further figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.records.profiles import (
    add_figures,
    find_profiles,
    profile_path,
    profiled,
    profiles_of,
    read_profile,
    write_profile,
)
from kdbench.suite.spec import PluginSpec
from tests.support.paths import ROOT

PUBLISHED = ROOT / "results/emoji/profiles/56bbc7834369.profile.json"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """With one published profile."""
    (tmp_path / "emoji/profiles").mkdir(parents=True)
    shutil.copy(PUBLISHED, tmp_path / "emoji/profiles")
    return tmp_path


def test_a_profile_that_cannot_be_read(tmp_path: Path) -> None:
    path = profile_path(tmp_path, "toys", "a" * 12)
    path.parent.mkdir(parents=True)
    with pytest.raises(RecordError, match="cannot be read"):
        read_profile(path)
    assert profiled(tmp_path, "toys", "a" * 12) is None
    path.write_text('{"format": 3}')
    with pytest.raises(RecordError, match="not a profile: format"):
        read_profile(path)
    assert profiled(tmp_path, "toys", "a" * 12) is None
    assert list(profiles_of(tmp_path, "toys")) == []


def test_profiles_are_found_once(results: Path) -> None:
    path = profile_path(results, "emoji", "56bbc7834369")
    assert find_profiles([results, results / "emoji", path]) == [path]
    (profile,) = profiles_of(results, "emoji")
    assert profile == profiled(results, "emoji", "56bbc7834369") == read_profile(path)
    assert list(profiles_of(results, "other")) == []


@pytest.mark.fault("another machine of the same name")
def test_figures_join_the_profile_of_the_student_on_that_device(results: Path) -> None:
    before = read_profile(profile_path(results, "emoji", "56bbc7834369"))
    student = PluginSpec(name="any label", use=before.student["use"], params=before.student["params"])
    host = before.host
    assert add_figures(results, "emoji", student, "cpu", host, {"onnx image batch1 ms": 1.5, "new ms": 2.0})
    after = read_profile(profile_path(results, "emoji", "56bbc7834369"))
    assert after == before.replace(extra=before.extra | {"onnx image batch1 ms": 1.5, "new ms": 2.0})
    for device, other in (("cpu", host | {"id": "another"}), ("cpu", host | {"cores": 96}), ("NVIDIA H100", host)):
        assert not add_figures(results, "emoji", student, device, other, {"x": 1.0})
    assert not add_figures(results, "emoji", student.replace(params={}), "cpu", host, {"x": 1.0})
    assert not add_figures(results, "unknown", student, "cpu", host, {"x": 1.0})
    grown = student.replace(params=student.params | {"depth": 1}, defaults={"depth": 1})
    assert add_figures(results, "emoji", grown, "cpu", host, {"x": 1.0})


def test_a_profile_is_written_as_format_2(results: Path) -> None:
    profile = read_profile(PUBLISHED)
    path = write_profile(results, "emoji", profile)
    assert b'"format": 2' in path.read_bytes()
    assert read_profile(path) == profile
