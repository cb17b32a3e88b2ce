"""Profiles of format 1 are read as those of today."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kdbench.records.profile import PartProfile, Profile, Timing
from tests.support.paths import ROOT

PUBLISHED = [
    path
    for path in sorted((ROOT / "results").glob("*/profiles/*.profile.json"))
    if json.loads(path.read_bytes())["format"] == 1
]


def test_there_are_published_profiles() -> None:
    assert len(PUBLISHED) >= 5


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: "/".join(path.parts[-3::2]))
def test_a_published_profile(path: Path) -> None:
    written: dict[str, Any] = json.loads(path.read_bytes())
    assert written["format"] == 1
    profile = Profile.model_validate_json(path.read_bytes())
    assert profile.format == 2
    assert list(profile.parts) == ["image", "text"]
    found = profile.model_dump(mode="json")
    assert found.pop("parts") == {name: written.pop(name) for name in ("image", "text")}
    assert found == written | {"format": 2}
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


def test_what_a_format_1_lacks_is_named() -> None:
    written = json.loads(PUBLISHED[0].read_bytes())
    del written["text"]
    with pytest.raises(ValidationError, match=r"parts\.text"):
        Profile.model_validate(written)


def test_it_is_frozen() -> None:
    profile = Profile.model_validate_json(PUBLISHED[0].read_bytes())
    with pytest.raises(ValidationError, match="frozen"):
        profile.names = []
    assert profile.replace(names=["x"]).names == ["x"] != profile.names


def test_a_task_without_a_search() -> None:
    published = Profile.model_validate_json(PUBLISHED[0].read_bytes())
    timing = Timing(median_ms=1.0, iqr_ms=0.0, blocks=10)
    one = published.replace(
        parts={"forecast": PartProfile(parameters=1, flops=2, latency={1: timing})}, search=None, gallery=None
    )
    assert Profile.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    "path", [("host", "cores"), ("memory", "peak_mb"), ("image", "latency", "1", "median_ms"), ("load", 0)], ids=str
)
def test_numbers_that_json_cannot_write_are_refused(path: tuple[str | int, ...]) -> None:
    """They would be null when the profile is written again."""
    written = json.loads(PUBLISHED[0].read_bytes())
    written["host"]["cores"], written["load"] = 2, [0.5, 0.5]
    Profile.model_validate(written)
    inner = written
    for step in path[:-1]:
        inner = inner[step]
    assert isinstance(inner[path[-1]], int | float)
    inner[path[-1]] = math.inf
    with pytest.raises(ValidationError, match="finite number"):
        Profile.model_validate(written)
