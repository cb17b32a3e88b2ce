"""Races, round by round, executed in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kdbench
from kdbench.contracts import Engine, Offer, Site
from kdbench.contracts.hookspecs import hookimpl
from kdbench.engines.make import make_engine
from kdbench.engines.rounds import rounds
from kdbench.engines.suite_run import SuiteRun
from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_record
from kdbench.suite.source import read_suite
from tests.support.here import Here
from tests.support.toys import TAUGHT, toy_plugins

SUITE = (
    TAUGHT
    + """\
name: raced
strategies: [equal, random]
objective: [relational_kl]
train: {epochs: 1, batch_size: 8, precision: fp32}
evaluate: {recall_at: [1, 5], margin: MARGIN}
race: {min_seeds: 2, max_seeds: 4, looks: 3, futility: FUTILITYBUDGET}
"""
)
Race = Callable[..., SuiteRun]


class Offering:
    @hookimpl
    def kdbench_engines(self) -> list[Offer[Engine]]:
        return [Offer("here", Here, "in this process")]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """The toys; `warnings.showwarning`, which an executor replaces, comes back afterwards."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    found = toy_plugins()
    found.register(Offering(), "third:party")
    return found


@pytest.fixture
def race(tmp_path: Path, plugins: Plugins) -> Race:
    """A race of three rows. With a margin of 1,000 points all are equivalent at the first look; with .001 none ever is."""

    def laid_out(margin: str = "0.001", budget: str = "", suite: str = SUITE, futility: str = "0", **changes: Any) -> SuiteRun:
        path = tmp_path / "raced.yaml"
        path.write_text(suite.replace("MARGIN", margin).replace("BUDGET", budget).replace("FUTILITY", futility))
        site = Site((tmp_path / "results").resolve(), (tmp_path / "cache").resolve(), "cpu", 1)
        engine = make_engine(plugins, "here")
        return SuiteRun.of(read_suite(path), site, engine, plugins, **{"race": True} | changes)

    return laid_out


def executed(whole: SuiteRun) -> list[str]:
    """Executes a race; what its rounds were, with the number of runs of each."""
    found = []
    for one in rounds(whole):
        found.append(f"{one}: {len(one.run.todo)}")
        one.run.execute()
    return found


def recorded(whole: SuiteRun) -> dict[str, int]:
    """The number of seeds by strategy."""
    found: dict[str, int] = {}
    for path in whole.records:
        strategy = read_record(path).spec.strategy
        name = strategy.name if strategy else ""
        found[name] = found.get(name, 0) + 1
    return found


def test_rows_that_stay_undecided_get_all_seeds(race: Race) -> None:
    whole = race()
    assert executed(whole) == [
        "look 1: seeds 0 to 1 of 3 rows: 6",
        "look 2: seed 2 of 3 rows: 3",
        "look 3: seed 3 of 3 rows: 3",
    ]
    assert recorded(whole) == {"": 4, "equal": 4, "random": 4}
    assert not whole.failed


def test_rows_that_are_decided_get_no_more_and_are_reported(race: Race) -> None:
    whole = race("1000")
    assert executed(whole) == ["look 1: seeds 0 to 1 of 3 rows: 6"]
    assert not whole.failed
    table = whole.results().board.tables[0]
    assert table.looks
    assert [stop.why for stop in table.looks.stops] == ["settled"] * 3
    assert table.sentence.startswith("Use no distillation: it is the cheapest of 3 rows that are equivalent within 1000 RSUM")


def test_rows_that_more_seeds_would_not_decide_are_given_up(race: Race) -> None:
    whole = race(futility="0.99")
    assert executed(whole) == ["look 1: seeds 0 to 1 of 3 rows: 6"]
    table = whole.results().board.tables[0]
    assert table.looks
    assert [stop.why for stop in table.looks.stops] == ["futile"] * 3
    assert "the race has ended at 2 seeds; a new race with a larger max_seeds" in table.sentence


def test_a_race_that_was_stopped_goes_on_where_it_was_and_repeats_nothing(race: Race) -> None:
    first = race()
    going = rounds(first)
    next(going).run.execute()
    between = next(going)
    between.run.session.run(between.run.todo[:1])  # killed in the midst of the second round
    before = {path: path.read_bytes() for path in first.records}
    second = race()
    assert executed(second) == [
        "look 1: seeds 0 to 1 of 3 rows: 0",
        "look 2: seed 2 of 3 rows: 2",
        "look 3: seed 3 of 3 rows: 3",
    ]
    assert {path: path.read_bytes() for path in before} == before
    assert executed(race()) == [
        "look 1: seeds 0 to 1 of 3 rows: 0",
        "look 2: seed 2 of 3 rows: 0",
        "look 3: seed 3 of 3 rows: 0",
    ]


def test_a_race_killed_in_the_midst_of_a_deciding_round_decides_as_if_it_had_not_been(race: Race) -> None:
    """With this margin the second look decides. Two of three rows have its seeds: they wait for the third."""
    suite = SUITE.replace("max_seeds: 4, looks: 3", "max_seeds: 8, looks: 3")
    first = race("60", suite=suite)
    going = rounds(first)
    next(going).run.execute()
    second = next(going, None)
    assert second
    second.run.session.run([spec for spec in second.run.todo if not spec.strategy or spec.strategy.name == "equal"])
    resumed = race("60", suite=suite)
    told = executed(resumed)
    assert told[1].startswith("look 2: seeds 2 to 3 of 3 rows: ")
    assert recorded(resumed)["random"] >= 4


@pytest.mark.parametrize(("budget", "runs"), [(", runs: 7", 6), (", runs: 9", 9), (", runs: 2", 0)])
def test_a_budget_of_runs_is_kept_in_whole_seeds(race: Race, budget: str, runs: int) -> None:
    whole = race(budget=budget)
    executed(whole)
    assert sum(recorded(whole).values()) == runs


def test_a_budget_of_hours_ends_a_race_between_seeds(race: Race) -> None:
    assert executed(race(budget=", hours: 1e-9")) == []
    found = executed(race(budget=", hours: 100"))
    assert found[:2] == ["look 1: seed 0 of 3 rows: 3", "look 1: seed 1 of 3 rows: 3"]


def test_a_row_that_fails_is_left_out_and_the_others_go_on(race: Race) -> None:
    suite = SUITE.replace("[equal, random]", "[equal, random, {use: fixed, weights: {a: 1}}]")
    whole = race(suite=suite.replace("weights: {a: 1}", "weights: {a: 0, b: 0}"))
    assert executed(whole) == [
        "look 1: seeds 0 to 1 of 4 rows: 8",
        "look 2: seed 2 of 3 rows: 3",
        "look 3: seed 3 of 3 rows: 3",
    ]
    assert recorded(whole)["equal"] == 4
    assert whole.failed


def test_a_row_that_fails_gets_no_more_before_the_next_look_either(race: Race) -> None:
    """With a budget, looks are made of one seed after the other."""
    suite = SUITE.replace("[equal, random]", "[equal, {use: fixed, weights: {a: 0, b: 0}}]")
    assert executed(race(budget=", hours: 100", suite=suite))[:2] == [
        "look 1: seed 0 of 3 rows: 3",
        "look 1: seed 1 of 2 rows: 2",
    ]


def test_a_race_that_has_ended_has_the_rounds_that_it_had(race: Race) -> None:
    """With this margin the second look decides, and the first, looking back, does not see its seed."""
    assert executed(race("30")) == ["look 1: seeds 0 to 1 of 3 rows: 6", "look 2: seed 2 of 3 rows: 3"]
    assert executed(race("30")) == ["look 1: seeds 0 to 1 of 3 rows: 0", "look 2: seed 2 of 3 rows: 0"]


def test_a_row_that_is_left_alone_gets_no_more(race: Race) -> None:
    suite = SUITE.replace("[[], [a, b]]", "[[a, b]]").replace("random", "{use: fixed, weights: {a: 0, b: 0}}")
    assert executed(race(suite=suite)) == ["look 1: seeds 0 to 1 of 2 rows: 4"]


def test_raced_runs_have_ids_of_their_own_and_a_table_of_their_own(race: Race) -> None:
    whole, plain = race(), race(race=False)
    assert not {spec.run_id for spec in whole.specs} & {spec.run_id for spec in plain.specs}
    assert len(whole.specs) == 12
    assert len(plain.specs) == 3
    again = race(budget=", runs: 5")
    assert [spec.run_id for spec in again.specs] == [spec.run_id for spec in whole.specs]


def test_a_smoke_run_is_not_raced(race: Race) -> None:
    with pytest.raises(KdbenchError, match="--smoke: found with --race"):
        race(smoke=True)


@pytest.mark.parametrize("override", ["seeds=[0, 1]", "seeds[0]=3"])
def test_seeds_given_by_hand_are_refused_with_the_ones_to_give(override: str, race: Race, plugins: Plugins) -> None:
    whole = race(suite=SUITE + "seeds: [4]\n")  # those of the file are for runs without --race
    assert {spec.seed for spec in whole.specs} == {0, 1, 2, 3}
    source = read_suite(whole.source.path, [override])
    with pytest.raises(KdbenchError, match=r"override 'seeds.*: found with --race.*race\.min_seeds=.* race\.max_seeds="):
        SuiteRun.of(source, whole.session.site, whole.session.engine, plugins, race=True)


def test_kdbench_run_races(tmp_path: Path, plugins: Plugins) -> None:
    path = tmp_path / "raced.yaml"
    path.write_text(SUITE.replace("MARGIN", "1000").replace("BUDGET", "").replace("FUTILITY", "0.2"))
    found = kdbench.run(
        path,
        results=tmp_path / "results",
        cache=tmp_path / "cache",
        engine="here",
        profile=False,
        race=True,
        plugins=plugins,
    )
    assert found.table()["seeds"].tolist() == [2, 2, 2]
