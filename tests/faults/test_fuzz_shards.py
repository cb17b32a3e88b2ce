"""10,000 tar files of pairs: against a slow reader, damaged, joined; every pair can be left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import shard_properties as properties
from tests.support.fuzzing import many
from tests.support.picture_inputs import Damage, damages
from tests.support.shard_inputs import Entry, entries

pytestmark = pytest.mark.fault("a strange or damaged tar of pairs")


@given(entries())
@many
def test_pairs(tmp_path: Path, found: list[Entry]) -> None:
    properties.shard_agrees(tmp_path / "train/0.tar", found)


@given(entries())
@many
def test_leaving_out(tmp_path: Path, found: list[Entry]) -> None:
    properties.everything_can_be_left_out(tmp_path / "train/0.tar", found)


@given(entries(), damages(("lost", "zeroed", "changed", "cut"), 1, 2000))
@many
def test_damage(tmp_path: Path, found: list[Entry], damage: Damage) -> None:
    properties.nothing_is_lost_without_a_word(tmp_path / "train/0.tar", found, damage)


@given(st.binary(max_size=5000))
@many
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train/0.tar"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    properties.any_bytes_are_refused(path)
