"""What readers of several records are told."""

from __future__ import annotations

from pathlib import Path

from kdbench.records.files import read_record
from kdbench.records.remarks import remarks
from kdbench.records.verify import usable
from tests.support.made_records import made
from tests.support.paths import ROOT
from tests.support.toys import plugged


def test_lacking_seeds_and_identical_rows_are_told(tmp_path: Path) -> None:
    paths = [made(tmp_path), made(tmp_path, 1), made(tmp_path, spec={"strategy": plugged("ours")})]
    lacking, same = remarks(map(read_record, paths))
    assert "no record of seed 1" in lacking
    assert "identical results in 1 run (seed 0)" in same


def test_what_the_records_in_results_have_to_tell() -> None:
    alike, unbound = sorted(remarks(usable([ROOT / "results"])[0]))[::-1]
    # Both are best after five epochs, in which rl_select still weights all teachers equally.
    assert "strong+alike · equal" in alike
    assert "strong+alike · rl_select" in alike
    assert "in 1 run (seed 3 · fold 3/3)" in alike
    # No weight reaches the bound of 0.6.
    assert unbound.startswith("C = 1 · ")
    assert "in 5 runs" in unbound
