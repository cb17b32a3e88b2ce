"""Readers of records and bundles, with 10,000 damaged ones each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.records.submit import submit
from tests.support.fuzzing import many
from tests.support.made_records import made, several, tuned
from tests.support.record_inputs import Change, changes, cuts, holds_for_bundle, holds_for_record

pytestmark = pytest.mark.fault("a damaged record or bundle")


def test_records(tmp_path: Path) -> None:
    whole = [made(tmp_path / "plain"), tuned(tmp_path / "tuned")[1][0]]

    @many
    @given(st.sampled_from(whole), changes, cuts)
    def check(path: Path, done: list[Change], cut: float) -> None:
        holds_for_record(tmp_path / "damaged", path, done, cut)

    check()


def test_bundles(tmp_path: Path) -> None:
    tuned(tmp_path / "results")
    sent = submit([*several(tmp_path / "results", 2), tmp_path / "results"], tmp_path / "sent.zip").path

    @many
    @given(st.integers(0, 50), changes, cuts)
    def check(name: int, done: list[Change], cut: float) -> None:
        holds_for_bundle(tmp_path, sent, name, done, cut)

    check()
