"""Checkpoints belong to the code and the files with which they were begun."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings

from kdbench.errors import KdbenchWarning
from kdbench.records.parts import Part, differences
from kdbench.runs.resume import CHECKPOINT, PARTS, checkpoint_of
from tests.records.test_parts import NAMED


def test_it_is_kept_where_nothing_has_changed_and_removed_where_anything_has(tmp_path: Path) -> None:
    @settings(max_examples=60)
    @given(NAMED, NAMED)
    def holds(then: dict[str, Part], now: dict[str, Part]) -> None:
        path = checkpoint_of(tmp_path, then)
        assert path == tmp_path / CHECKPOINT
        path.write_bytes(b"a checkpoint")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            checkpoint_of(tmp_path, now)
        changed = differences(then, now)
        assert path.exists() == (not changed)
        assert [all(clause in str(one.message) for clause in changed) for one in caught] == [True] * bool(changed)
        path.unlink(missing_ok=True)

    holds()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{")])
def test_one_of_unknown_origin_is_not_trusted(damage: object, tmp_path: Path) -> None:
    checkpoint_of(tmp_path, {}).write_bytes(b"a checkpoint")
    damage(tmp_path / PARTS)  # type: ignore[operator]
    with pytest.warns(KdbenchWarning, match="it is not known what has changed"):
        assert not checkpoint_of(tmp_path, {}).exists()
