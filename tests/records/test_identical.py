"""Rows of one table whose results are the same are named."""

from __future__ import annotations

from pathlib import Path

from kdbench.records.files import read_record
from kdbench.records.identical import identical
from tests.support.made_records import made
from tests.support.toys import plugged


def test_two_methods_with_one_training_are_named(tmp_path: Path) -> None:
    """As a strategy that weighs by nothing is, or a copy."""
    paths = [made(tmp_path, seed, spec=spec) for seed in range(2) for spec in ({}, {"strategy": plugged("ours")})]
    records = [read_record(path) for path in paths]
    (told,) = identical(records)
    assert all(f"{record.spec.cell_label} ({record.cell_id})" in told for record in records)
    assert "identical results in 2 runs (seed 0, 1): one training under two names, or a copy" in told


def test_what_is_one_training_by_design_is_not(tmp_path: Path) -> None:
    """In two suites, two variants, tuned to the suite's own values, or with another split."""
    paths = [
        made(tmp_path),
        made(tmp_path, spec={"suite": "others"}),
        made(tmp_path, spec={"variant": "strong"}),
        made(tmp_path, spec={"strategy": plugged("ours")}, dataset_digest="e" * 64),
        made(tmp_path, 1, spec={"strategy": plugged("other seeds")}),
    ]
    assert identical(map(read_record, paths)) == []
