"""The plan of a race: its looks, its budget, where it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench.suite.model import raced
from kdbench.suite.plan import plan
from tests.support.rankings import finished, write

Command = Callable[..., tuple[int, str, str]]
Plan = Callable[..., list[str]]


@pytest.fixture
def planned(
    kdbench: Command, suite_file: Callable[..., Path], plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Plan:
    """Lines of a plan of four rows with looks at 2, 3 and 4 seeds, of which some seeds are recorded, with these ranks."""
    monkeypatch.setenv("COLUMNS", "200")

    def told(seeds: int, ranks: tuple[int, ...], budget: str = "") -> list[str]:
        path = suite_file()
        path.write_text(path.read_text() + f"\nrace: {{min_seeds: 2, max_seeds: 4, looks: 3{budget}}}\n")
        specs = plan(raced(load_suite(path, plugins)))
        cells = list(dict.fromkeys(spec.cell_id for spec in specs))
        for spec in specs:
            if spec.seed < seeds:
                found = np.full((2, 10), ranks[cells.index(spec.cell_id)])
                write(tmp_path / "results", finished(spec, *found, timings={"train": 9.0, "evaluate": 1.0}))
        code, out, _ = kdbench("plan", path, "--race")
        assert code == 0
        return out.splitlines()

    return told


def test_what_is_recorded_is_counted_by_look(planned: Plan) -> None:
    lines = planned(1, (1, 3, 6, 10))
    assert [words for line in lines if (words := line.split()) and words[0].isdigit() and len(words) == 5][:3] == [
        ["1", "2", "8", "8", "4"],
        ["2", "3", "4", "12", "0"],
        ["3", "4", "4", "16", "0"],
    ]
    assert "Next is look 1: seeds 0 to 1 of 4 rows." in lines
    assert lines[-1].startswith("4 of 8 runs to do")


def test_rows_that_have_stopped_need_no_more_seeds(planned: Plan) -> None:
    lines = planned(2, (1, 1, 6, 10))
    assert sum(line.endswith("  not needed") for line in lines) >= 4
    ended = planned(2, (1, 3, 6, 10))
    assert sum(line.endswith("  not needed") for line in ended) == 8
    assert "The race has ended: every row has stopped." in ended
    assert ended[-1].startswith("All 8 runs are recorded")


def test_budgets(planned: Plan) -> None:
    lines = planned(1, (1, 3, 6, 10), ", runs: 9, hours: 4")
    assert "Budget: at most 9 runs (race.runs); no seed is begun after 4 h of a command (race.hours)." in lines
    assert "Next is look 1: seeds 0 to 1 of 4 rows." in lines
    spent = planned(1, (1, 3, 6, 10), ", runs: 6")
    assert "The budget of runs is spent before look 1: seeds 0 to 1 of 4 rows." in spent
