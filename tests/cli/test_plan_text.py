"""A plan as a table of runs or of rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdbench.cli.plan_text import plan_text
from kdbench.suite.spec import Fold, RunSpec
from tests.support.toys import plugged

Spec = Callable[..., RunSpec]


def told(specs: list[RunSpec], width: int = 100, each: bool = False, **states: str) -> list[str]:
    return plan_text(specs, {spec.run_id: states.get(f"seed{spec.seed}", "to do") for spec in specs}, width, each).splitlines()


def test_few_runs_have_a_line_each(spec: Spec) -> None:
    specs = [spec(seed=0), spec(seed=1)]
    lines = told(specs, seed0="ok")
    assert [line.split()[0] for line in lines[2:]] == [one.run_id for one in specs]
    assert [line.endswith("  ok") for line in lines[2:]] == [True, False]


def test_many_runs_are_counted_by_row(spec: Spec) -> None:
    specs = [spec(seed=seed, fold=Fold(index=index, of=3)) for seed in range(20) for index in range(3)]
    head, _, line = told(specs, seed0="ok", seed1="failed")
    assert head.endswith("seeds × folds  runs")
    assert line.endswith("20 × 3  3 ok, 3 failed, 54 to do")
    assert len(told(specs, each=True)) == 62


def test_a_long_team_is_shortened(spec: Spec) -> None:
    team = tuple(plugged("lens", f"teacher-{i}") for i in range(8))
    text = "\n".join(told([spec(team=team), spec(team=team[:3])]))
    assert "teacher-0 + teacher-1 + 6 more " in text
    assert "teacher-0 + teacher-1 + teacher-2 " in text


@pytest.mark.parametrize("width", [70, 80, 100])
def test_it_fits_and_leaves_out_first_what_is_the_same_everywhere(width: int, spec: Spec) -> None:
    teams = [tuple(plugged("lens", f"a teacher {i}") for i in range(count)) for count in (2, 8)]
    specs = [spec(team=team, variant=name, regime=True) for team in teams for name in ("one", "eight with copies")]
    lines = told(specs, width)
    assert max(map(len, lines)) <= width
    assert "regime" in lines[0]
    shown = "dataset" in lines[0]
    assert shown or "- the same in all: dataset " in " ".join(lines)
