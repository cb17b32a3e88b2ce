"""The tables of systems and methods: no cell is empty, all that they name exists, and no method that ships is missing."""

from __future__ import annotations

import pytest

from docs.tools.blocks import names
from docs.tools.system_blocks import checked_by, every_method, methods, suites_with, systems
from docs.tools.systems import SYSTEMS, System
from kdbench.plugins.loading import Kind, installed
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from tests.support.paths import ROOT

KINDS: tuple[Kind, ...] = ("strategy", "objective", "student", "teacher")
WITH_RESULTS = [one for one in SYSTEMS if one.row]


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


@pytest.mark.parametrize("table", [systems, every_method])
def test_no_cell_is_empty(table: object) -> None:
    assert callable(table)
    found = rows(table(installed()))
    assert found
    assert all(len(row) == 4 and all(row) for row in found)
    assert all("[tests](" in " ".join(row) for row in found)


def test_every_method_that_ships_is_in_the_table_with_a_test() -> None:
    """A plugin that states a status is a method, and has a source."""
    shown = {row[0].split("`")[1] for row in rows(every_method(installed()))}
    for kind in KINDS:
        for name, listed in installed().offers(kind).items():
            if listed.provider.startswith("kdbench:") and (listed.offer.status or listed.offer.source):
                assert name in shown
    assert all((ROOT / checked_by(offer)).is_file() for _, offer in methods(installed()))


@pytest.mark.parametrize("one", SYSTEMS, ids=[one.name for one in SYSTEMS])
def test_a_system_names_what_exists(one: System) -> None:
    named = {name: kind for kind, name in (plugin.split() for plugin in one.plugins)}
    assert set(named.values()) <= set(KINDS)
    assert all(name in installed().offers(kind) for kind in KINDS for name in named if named[name] == kind)
    assert (ROOT / f"suites/{one.suite}.yaml").is_file()


def test_suites_of_a_method_name_it_and_those_of_its_system_come_first() -> None:
    assert suites_with("strategy", "relative_change")[0] == "adapmtl"
    assert "regimes-all" in suites_with("strategy", "relative_change")
    assert suites_with("student", "soft_threshold") == ["adapmtl"]
    assert "rl-kd" in suites_with("strategy", "equal")
    assert "navier-stokes" in suites_with("strategy", "cr_mogm")  # no system of its own


@pytest.mark.parametrize("one", WITH_RESULTS, ids=[one.name for one in WITH_RESULTS])
def test_rows_of_a_system_are_rows_of_its_suite(one: System) -> None:
    """Their labels are compared with those of records."""
    labels = {run.cell_label for run in plan(load_suite(ROOT / f"suites/{one.suite}.yaml", installed()))}
    assert {one.row, *one.baselines} <= labels
    assert one.row not in one.baselines


def test_suites_with_results_have_a_place_on_the_page() -> None:
    blocks = names((ROOT / "docs/systems-results.md").read_text(encoding="utf-8"))
    assert blocks == {("systems_summary", ""), *(("system_result", f"results/{one.suite}") for one in WITH_RESULTS)}
