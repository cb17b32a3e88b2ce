"""Checkpoints belong to the run, the code, the data and the versions with which they were begun."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from kdbench.errors import KdbenchWarning
from kdbench.records.parts import Part, differences
from kdbench.runs import resume
from kdbench.runs.resume import checkpoint_of
from kdbench.storage.checkpoint import Checkpoint
from tests.records.test_parts import NAMED

STATE = {"step": 3}


def test_it_is_kept_where_nothing_has_changed_and_removed_where_anything_has(tmp_path: Path) -> None:
    @settings(max_examples=25)
    @given(NAMED, NAMED)
    def holds(then: dict[str, Part], now: dict[str, Part]) -> None:
        checkpoint_of(tmp_path, "run", "data", then).save(STATE)
        changed = differences(then, now)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = checkpoint_of(tmp_path, "run", "data", now).load()
        assert found == (None if changed else STATE)
        assert [all(clause in str(one.message) for clause in changed) for one in caught] == [True] * bool(changed)

    holds()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("format", 0, "the format of checkpoints is 1, it was 0"),
        ("run", "b", "the run is a, it was b"),
        ("data", "0" * 64, "the data have digest ffffffffffff, it was 000000000000"),
        ("versions", {"torch": "0.1"}, "kdbench is .*, it was unknown; torch is .*, it was 0.1"),
    ],
)
def test_another_training_is_not_resumed(field: str, value: Any, told: str, tmp_path: Path) -> None:
    now = checkpoint_of(tmp_path, "a", "f" * 64, {})
    now.save(STATE)
    assert now.load() == STATE
    Checkpoint(now.path, json.dumps(json.loads(now.origin) | {field: value})).save(STATE)
    with pytest.warns(KdbenchWarning, match=f"is removed and the training starts anew: {told} since it was written"):
        assert now.load() is None
    assert not now.path.exists()


@pytest.mark.parametrize("origin", ["", "{", "{}"])
def test_one_of_unknown_origin_is_not_trusted(origin: str, tmp_path: Path) -> None:
    Checkpoint(tmp_path / resume.FILE, origin).save(STATE)
    with pytest.warns(KdbenchWarning, match="it does not say which training it is of"):
        assert checkpoint_of(tmp_path, "a", "", {}).load() is None
