"""What readers of several records are told."""

from __future__ import annotations

import re
from itertools import combinations
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


def test_a_missing_trace_is_told(tmp_path: Path) -> None:
    traced, bare = made(tmp_path), made(tmp_path, 1, trace=False)
    assert remarks([read_record(traced)]) == []
    (note,) = remarks([read_record(traced), read_record(bare)])
    assert note.startswith(f"1 run with teachers but without a trace, such as {read_record(bare).label}")


def test_what_the_records_in_results_have_to_tell() -> None:
    told = sorted(remarks(usable([ROOT / "results"])[0]))
    unbound, alike = (line for line in told if not line.startswith("both bands"))
    # Both are best after five epochs, in which rl_select still weights all teachers equally.
    assert "strong+alike · equal" in alike
    assert "strong+alike · rl_select" in alike
    assert "in 1 run (seed 3 · fold 3/3)" in alike
    # No weight reaches the bound of 0.6.
    assert unbound.startswith("C = 1 · ")
    assert "in 5 runs" in unbound
    # Forecasts of two teachers: their gradients never conflict; a weight of ammkd is at its bound in every step, and so is its
    # moving average; weights that equalise two projections are those that equalise two norms.
    fields = [line for line in told if line.startswith("both bands")]
    assert all("in 5 runs (seed 0, 1, 2, 3, 4)" in line for line in fields)
    assert {frozenset(re.findall(r"simvp\+st_alternet · (\S+) ", line)) for line in fields} == {
        *(frozenset(pair) for pair in combinations(("equal", "torchjd:dualproj", "torchjd:pcgrad", "torchjd:upgrad"), 2)),
        frozenset(("ammkd", "cr_mogm")),
        frozenset(("equal_norm", "torchjd:imtl_g")),
    }
