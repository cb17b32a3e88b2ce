"""The table of all systems says what their sections say."""

from __future__ import annotations

from docs.tools.system_results import system_result
from docs.tools.systems import SYSTEMS
from docs.tools.systems_summary import systems_summary
from tests.support.paths import ROOT


def test_every_system_with_records_has_a_line_and_its_section_says_the_same() -> None:
    shown = [one for one in SYSTEMS if one.row and (ROOT / "results" / one.suite).is_dir()]
    lines = [line.strip("| ").split(" | ") for line in systems_summary().splitlines()[2:]]
    assert [line[0] for line in lines] == [one.name for one in shown]
    for one, (_, row, first, gain, found) in zip(shown, lines, strict=True):
        section = system_result(f"results/{one.suite}").partition(f"## {one.name}\n")[2].partition("\n## ")[0]
        assert f"**{row}** against {len(one.baselines)} baselines: {found}." in section
        assert f" {first}: {gain}\n" in section
