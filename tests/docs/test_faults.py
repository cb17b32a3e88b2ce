"""The table of faults: what each test adds, and what a reader sees of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from docs.tools import faults
from tests.faults.__main__ import table
from tests.support import fuzzing
from tests.support.fault_tally import counted
from tests.support.paths import ROOT

NAMED = re.compile(r'mark\.fault\(\s*"([^"]+)"')
MARK = pytest.mark.fault("a full disk", times=3).mark


def line(passed: bool = True, skipped: bool = False, lost: bool = False, why: object = None) -> dict[str, object]:
    report: Any = SimpleNamespace(passed=passed, skipped=skipped, longrepr=why)
    return counted(MARK, report, lost)


def test_a_test_is_counted_once_as_survived_lost_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "tried", 0)
    assert line() == {"fault": "a full disk", "tried": 3, "survived": 3, "lost": 0, "wrong": 0}
    assert line(passed=False) == {"fault": "a full disk", "tried": 3, "survived": 0, "lost": 0, "wrong": 1}
    assert line(passed=False, lost=True) == {"fault": "a full disk", "tried": 3, "survived": 0, "lost": 1, "wrong": 0}
    skipped = line(passed=False, skipped=True, why=("test.py", 1, "Skipped: no mount"))
    assert skipped == {"fault": "a full disk", "skipped": "no mount"}


def test_every_input_of_a_fuzzer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "tried", 0)
    from hypothesis import given
    from hypothesis import strategies as st

    @given(st.integers())
    @fuzzing.trying(7)
    def below(number: int) -> None: ...

    @fuzzing.trying(5)
    @given(st.integers())
    def above(number: int) -> None: ...

    below()
    above()
    assert fuzzing.tried == 12
    assert line()["tried"] == 12


def test_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table([line(), line(passed=False), line(skipped=True, passed=False, why=("", 1, "Skipped: no mount"))])
    assert rows == [{"fault": "a full disk", "tried": 6, "survived": 3, "lost": 0, "wrong": 1, "skipped": ["no mount"]}]
    rows = [row | {"machine": "a machine", "commit": "0a1b2c3d"} for row in rows]
    kept = tmp_path / "faults.json"
    kept.write_text('{"rows": ' + str(rows).replace("'", '"') + "}", encoding="utf-8")
    monkeypatch.setattr(faults, "FIGURES", kept)
    shown = faults.faults()
    assert shown.startswith("On a machine:\n\n| fault | tried | survived | lost | wrong | commit |")
    assert "| a full disk | 6 | 3 | 0 | 1 | 0a1b2c3d |" in shown
    assert shown.endswith("Not tried there:\n\n- a full disk: no mount")


def test_every_fault_that_a_test_names_has_its_row() -> None:
    named = {found for path in (ROOT / "tests").rglob("test_*.py") for found in NAMED.findall(path.read_text(encoding="utf-8"))}
    rows = json.loads(faults.FIGURES.read_text(encoding="utf-8"))["rows"]
    assert {row["fault"] for row in rows} == named - {MARK.args[0]}
