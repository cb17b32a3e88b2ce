"""All sub-teams of a suite's teachers, laid out as runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.suite import sub_teams
from kdbench.suite.check import load_suite
from kdbench.suite.model import Suite
from kdbench.suite.plan import plan
from kdbench.suite.settings import Evaluate, Latency, Train
from kdbench.suite.spec import PluginSpec
from kdbench.suite.sub_teams import named, teams_for, teams_of
from tests.support.toys import plugged, retrieval_spec, term

Write = Callable[..., Path]
NAMES = ["t0", "t1", "t2", "t3"]


def suite_of(teams: list[list[str]], strategies: int = 2, seeds: int = 2, names: Sequence[str] = NAMES) -> Suite:
    def labels(letter: str, count: int) -> list[PluginSpec]:
        return [plugged(letter, f"{letter}{i}") for i in range(count)]

    return Suite(
        path=Path("suite.yaml"),
        name="grid",
        task=retrieval_spec(),
        seeds=list(range(seeds)),
        datasets=labels("d", 2),
        students=labels("s", 3),
        teachers={name: plugged(name) for name in names},
        references=list(names[:1]),
        teams=teams,
        strategies=labels("w", strategies),
        objective=[term("o")],
        train=Train(),
        evaluate=Evaluate(),
        latency=Latency(),
    )


def varied(suite: Suite, **variants: Suite) -> Suite:
    return suite.model_copy(update={"variants": variants})


teams_of_four = st.lists(st.permutations(NAMES).flatmap(lambda p: st.integers(0, 4).map(lambda n: p[:n])), min_size=1).map(
    lambda teams: [*dict.fromkeys(map(tuple, teams)), ("t3", "t0")]
)


@settings(max_examples=25)
@given(teams_of_four, st.integers(1, 3))
def test_what_the_suite_lists_is_not_done_twice(teams: list[Sequence[str]], strategies: int) -> None:
    """In whatever order it lists teachers: of each set that it lists, the first order has the very runs of the suite."""
    suite = suite_of([list(team) for team in teams], strategies)
    found = teams_for(suite)
    whole = set(found.games[0].teachers)
    first = {frozenset(team): team for team in reversed(teams)}
    expected = {
        spec.run_id
        for spec in plan(suite)
        if not spec.role and (names := spec.teachers) in set(map(tuple, first.values())) and set(names) <= whole
    }
    assert expected <= {spec.run_id for spec in found.specs}


@settings(max_examples=25)
@given(teams_of_four, st.integers(1, 3))
def test_every_game_has_every_team_over_every_seed(teams: list[Sequence[str]], strategies: int) -> None:
    suite = suite_of([list(team) for team in teams], strategies)
    found = teams_for(suite)
    for game in found.games:
        size = len(game.teachers)
        subsets = chain.from_iterable(combinations(game.teachers, count) for count in range(size + 1))
        assert set(game.runs) == set(map(frozenset, subsets))
        for team, runs in game.runs.items():
            assert [run.seed for run in runs] == [0, 1]
            for run in runs:
                assert set(run.teachers) == team
                assert (run.dataset.name, run.student.name) == (game.dataset, game.student)
                assert (run.strategy.name if run.strategy else "") == (game.strategy if len(team) > 1 else "")
    assert len(found.games) == 2 * 3 * strategies
    once = {spec.run_id for game in found.games for runs in game.runs.values() for spec in runs}
    assert sorted(once) == sorted(spec.run_id for spec in found.specs)  # each once, and no other
    small = 1 + size
    assert len(found.specs) == 2 * 2 * 3 * (small + (2**size - small) * strategies)


@settings(max_examples=25)
@given(teams_of_four, st.permutations(["t0", "t1", "t3"]))
def test_who_asks_in_what_order_does_not_matter(teams: list[Sequence[str]], asked: list[str]) -> None:
    suite = suite_of([list(team) for team in teams])
    ids = {spec.run_id for spec in teams_for(suite, teachers=asked).specs}
    assert ids == {spec.run_id for spec in teams_for(suite, teachers=["t0", "t1", "t3"]).specs}
    if set(asked) <= set(teams_for(suite).games[0].teachers):
        assert ids <= {spec.run_id for spec in teams_for(suite).specs}


def test_unlisted_teams_keep_the_order_of_the_largest() -> None:
    (game, *_) = teams_for(suite_of([["t2", "t0", "t1"], ["t0", "t2"]])).games
    orders = {team: list(runs[0].teachers) for team, runs in game.runs.items()}
    assert orders[frozenset({"t0", "t2"})] == ["t0", "t2"]  # as listed
    assert orders[frozenset({"t0", "t1"})] == ["t0", "t1"]
    assert orders[frozenset({"t1", "t2"})] == ["t2", "t1"]
    assert game.teachers == ("t2", "t0", "t1")
    assert game.label == "d0 · s0 · t2 + t0 + t1 · w0"


def test_a_strategy_can_be_chosen() -> None:
    found = teams_for(suite_of([["t0", "t1"]], strategies=3), strategy="w1")
    assert {game.strategy for game in found.games} == {"w1"}
    assert {spec.strategy.name for spec in found.specs if spec.strategy} == {"w1"}
    assert len(found.specs) == 2 * 2 * 3 * 4


def test_a_single_teacher_needs_no_strategy() -> None:
    found = teams_for(suite_of([[], ["t1"]], strategies=0))
    assert {(game.teachers, game.strategy, len(game.runs)) for game in found.games} == {(("t1",), "", 2)}


def test_variants_are_games_of_their_own() -> None:
    suite = suite_of([["t0", "t1"]])
    hotter = suite.model_copy(update={"train": Train(lr=0.1), "strategies": suite.strategies[:1]})
    found = teams_for(varied(suite, plain=suite, hotter=hotter), strategy="w1")
    assert {game.variant for game in found.games} == {"plain"}
    assert found.notes == ["variant hotter: left out: it has no strategy 'w1'"]
    both = teams_for(varied(suite, plain=suite, hotter=hotter))
    expected = [spec.run_id for spec in plan(varied(suite, plain=suite, hotter=hotter)) if spec.role == ""]
    assert set(expected) <= {spec.run_id for spec in both.specs}
    rates = {game.variant: {run.train.lr for runs in game.runs.values() for run in runs if run.train} for game in both.games}
    assert rates == {"plain": {1e-3}, "hotter": {0.1}}
    assert [game.strategy for game in both.games if (game.dataset, game.student) == ("d0", "s0")] == ["w0", "w1", "w0"]


def test_of_several_largest_teams_the_first_is_taken_and_told() -> None:
    found = teams_for(suite_of([["t0"], ["t1", "t3"], ["t0", "t1"]]))
    assert found.games[0].teachers == ("t1", "t3")
    assert found.notes == ["there are several largest teams: using the first, t1 + t3, not t0 + t1"]
    assert teams_for(suite_of([["t1", "t3"], ["t0", "t1"]]), teachers=["t0", "t1"]).notes == []


@pytest.mark.parametrize(
    ("suite", "strategy", "teachers", "told"),
    [
        (suite_of([["t0", "t1"]]), "w7", None, r"suite.yaml: no strategy 'w7'; did you mean 'w[01]'\?"),
        (suite_of([["t0", "t1"]]), None, ["t0", "t7"], r"suite.yaml: no teacher 't7'; did you mean 't\d'\?"),
        (suite_of([["t0", "t1"]]), None, ["t0", "t0"], "found the teacher 't0' twice"),
        (suite_of([["t0", "t1"]]), None, [], "nothing to attribute"),
        (suite_of([[]]), None, None, "nothing to attribute"),
        (suite_of([["t0"]], strategies=0), None, ["t0", "t1"], "no `strategies:`"),
        (suite_of([["t0"]], strategies=0), "w0", None, "no strategy 'w0'; it has none"),
        (suite_of([[]]).model_copy(update={"objective": []}), None, ["t0"], "no `objective:`"),
    ],
)
def test_what_cannot_be_asked(suite: Suite, strategy: str | None, teachers: list[str] | None, told: str) -> None:
    with pytest.raises(KdbenchError, match=told):
        teams_for(suite, strategy, teachers)


def test_too_many_teachers_and_how_many_runs_they_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"t{i}" for i in range(11)]
    with pytest.raises(KdbenchError, match=r"11 teachers make 2,048 teams, 49,008 runs in all; expected at most 10"):
        teams_for(suite_of([many], names=many))  # 2 seeds · 2 datasets · 3 students · (12 + 2036 · 2)
    suite = suite_of([NAMES])
    two = varied(suite, one=suite, other=suite.model_copy(update={"strategies": suite.strategies[:1]}))
    count = len(teams_for(two).specs)
    monkeypatch.setattr(sub_teams, "MOST", 3)
    with pytest.raises(KdbenchError, match=f"4 teachers make 16 teams, {count} runs in all; expected at most 3"):
        teams_for(two)


def test_of_a_suite_file(suite_file: Write, plugins: Plugins) -> None:
    """The tiny suite lists three of four teams, with two strategies; the fourth is `b` alone."""
    suite = load_suite(suite_file(), plugins)
    found = {spec.run_id: spec for spec in teams_for(suite).specs}
    listed = {spec.run_id for spec in plan(suite)}
    assert listed <= set(found)
    assert {spec.label for run_id, spec in found.items() if run_id not in listed} == {
        "pebble · b · seed 0",
        "pebble · b · seed 1",
    }


def test_teams_come_small_ones_first_and_have_names() -> None:
    assert [named(team) for team in teams_of(["t1", "t0"])] == ["no distillation", "t1", "t0", "t0 + t1"]
