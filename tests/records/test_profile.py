"""Profiles survive JSON, and hold nothing that JSON cannot write."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from kdbench.records.profile import Memory, PartProfile, Profile, Timing
from tests.support.made_boards import profile
from tests.support.paths import ROOT
from tests.support.toys import plugged

MEMORY = Memory(kind="resident", peak_mb=3.0, before_mb=2.0, baseline_mb=1.0)
PROFILE = profile(plugged("toy"), {1: 1.5}, {1: 0.5}, memory=MEMORY, load=[0.5, 0.5], host={"id": "0a1b2c3d", "cores": 2})
PUBLISHED = sorted((ROOT / "results").glob("*/profiles/*.profile.json"))


def test_there_are_published_profiles() -> None:
    assert len(PUBLISHED) >= 6


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: "/".join(path.parts[-3::2]))
def test_a_published_profile(path: Path) -> None:
    found = Profile.model_validate_json(path.read_bytes())
    assert found.model_dump(mode="json") == json.loads(path.read_bytes())


def test_what_is_written_is_read() -> None:
    assert Profile.model_validate_json(PROFILE.model_dump_json()) == PROFILE


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PROFILE.names = []
    assert PROFILE.replace(names=["x"]).names == ["x"] != PROFILE.names


def test_a_task_without_a_search() -> None:
    timing = Timing(median_ms=1.0, iqr_ms=0.0, blocks=10)
    one = PROFILE.replace(
        parts={"forecast": PartProfile(parameters=1, flops=2, latency={1: timing})}, search=None, gallery=None
    )
    assert Profile.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    "path", [("host", "cores"), ("memory", "peak_mb"), ("parts", "image", "latency", "1", "median_ms"), ("load", 0)], ids=str
)
def test_numbers_that_json_cannot_write_are_refused(path: tuple[str | int, ...]) -> None:
    """They would be null when the profile is written again."""
    written = json.loads(PROFILE.model_dump_json())
    inner = written
    for step in path[:-1]:
        inner = inner[step]
    assert isinstance(inner[path[-1]], int | float)
    inner[path[-1]] = math.inf
    with pytest.raises(ValidationError, match="finite number"):
        Profile.model_validate(written)
