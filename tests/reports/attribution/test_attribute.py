"""What teachers are worth, from cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.errors import KdbenchError
from kdbench.reports.attribution.attribute import attribute, attribute_scores
from kdbench.reports.attribution.worth import TeamAttribution, Worth
from kdbench.statistics.cells import Scores, cell_of
from kdbench.statistics.crossed import Estimate, estimate
from kdbench.statistics.folds import ONE_SEED, estimate_in_folds
from kdbench.statistics.pair_tests import difference
from kdbench.suite.sub_teams import Team, named, teams_of
from kdbench_plugins.attributions.shapley import Shapley
from tests.support.directed import ERROR
from tests.support.rankings import HEADLINE, finished

Floats = NDArray[np.float64]
SEEDS, UNITS = (3, 5, 8), 30
NAMES = "abcde"
METRIC = Metric(HEADLINE, "RSUM", headline=True)
KINDS = ("leave-one-out", "Shapley", "alone")


def rows(value: Callable[[Team], Floats], count: int, seeds: tuple[int, ...] = SEEDS) -> dict[Team, Scores]:
    return {team: Scores(seeds, value(team)) for team in teams_of(NAMES[:count])}


def attributed(given: Mapping[Team, Scores], teachers: str = "", metric: Metric = METRIC) -> TeamAttribution:
    return attribute_scores(given, Shapley(), metric, teachers)


def chance(team: Team, draw: int = 0) -> Floats:
    """Any game: the figures of each team are its own, and the same whenever asked."""
    return np.random.default_rng([draw, *map(ord, sorted(team))]).normal(50, 20, (len(SEEDS), UNITS))


def worth(found: TeamAttribution, teacher: str) -> Worth:
    return found.worths[found.teachers.index(teacher)]


def means(found: TeamAttribution, kind: str = "Shapley") -> list[float]:
    return [one.estimates[kind].mean for one in found.worths]


def same(a: Estimate, b: Estimate) -> None:
    assert (a.mean, a.low, a.high, a.se) == pytest.approx((b.mean, b.low, b.high, b.se), rel=1e-9, abs=1e-9)
    assert a.p == pytest.approx(b.p, rel=1e-6)


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_shapley_is_the_average_over_all_orders(count: int, draw: int) -> None:
    """By the definition: teachers join one after the other, in every order, and each has what the figures change by then."""
    given = rows(lambda team: chance(team, draw), count)
    found = attributed(given)
    orders = list(permutations(NAMES[:count]))
    for teacher in NAMES[:count]:
        joined = [order[: order.index(teacher)] for order in orders]
        slow = np.mean(
            [given[frozenset({*there, teacher})].values - given[frozenset(there)].values for there in joined], axis=0
        )
        same(worth(found, teacher).estimates["Shapley"], estimate(slow))


@given(st.integers(1, 5), st.integers(0, 10**6))
def test_leave_one_out_and_alone_by_their_definitions(count: int, draw: int) -> None:
    given = rows(lambda team: chance(team, draw), count)
    found = attributed(given)
    everyone: Team = frozenset(NAMES[:count])
    for teacher in everyone:
        ends = {"leave-one-out": (everyone, everyone - {teacher}), "alone": (frozenset({teacher}), frozenset[str]())}
        for kind, (with_it, without) in ends.items():
            expected = estimate(given[with_it].values - given[without].values)
            same(worth(found, teacher).estimates[kind], expected)
    same(found.total, estimate(given[everyone].values - given[frozenset()].values))


@given(st.integers(1, 5), st.integers(0, 10**6))
def test_efficiency_in_figures(count: int, draw: int) -> None:
    found = attributed(rows(lambda team: chance(team, draw), count))
    assert sum(means(found)) == pytest.approx(found.total.mean, abs=1e-9)
    assert found.total.mean == pytest.approx(found.teams[tuple(NAMES[:count])] - found.teams[()], abs=1e-9)


@given(st.integers(2, 4), st.integers(0, 10**6))
def test_symmetry(count: int, draw: int) -> None:
    """a and b never make a difference to each other's place."""
    found = attributed(rows(lambda team: chance(frozenset(name.replace("b", "a") for name in team), draw), count))
    for kind in KINDS:
        same(worth(found, "a").estimates[kind], worth(found, "b").estimates[kind])


def test_twins_share_what_either_does() -> None:
    """Each is spared without loss, and each has half of the gain."""
    gain = np.full((3, UNITS), 10.0) + np.random.default_rng(0).normal(size=(3, UNITS))
    found = attributed(rows(lambda team: gain * bool(team), 2))
    for name in "ab":
        one = worth(found, name).estimates
        assert (one["leave-one-out"].mean, one["leave-one-out"].p) == (0, 1)
        assert one["Shapley"].mean == pytest.approx(gain.mean() / 2)
        assert one["alone"].mean == pytest.approx(gain.mean())
    assert any("it does not say that a and b can all go" in note for note in found.notes)


@given(st.integers(2, 5), st.integers(0, 10**6))
def test_who_changes_nothing_is_worth_nothing(count: int, draw: int) -> None:
    """To the last bit: rounding errors would have a p-value."""
    found = attributed(rows(lambda team: chance(team - {"b"}, draw), count))
    for one in worth(found, "b").estimates.values():
        assert (one.mean, one.low, one.high, one.p) == (0, 0, 0, 1)
    if count > 2:  # and the others are worth what they are without
        without = attributed({team: Scores(SEEDS, chance(team, draw)) for team in teams_of("acde"[: count - 1])})
        for teacher in without.teachers:
            for kind in KINDS:
                same(worth(found, teacher).estimates[kind], worth(without, teacher).estimates[kind])


@given(st.integers(1, 4), st.integers(0, 10**6), st.floats(-3, 3))
def test_linearity(count: int, draw: int, factor: float) -> None:
    one, other = (attributed(rows(lambda team, d=d: chance(team, d), count)) for d in (draw, draw + 1))  # type: ignore[misc]
    both = attributed(rows(lambda team: chance(team, draw) + factor * chance(team, draw + 1), count))
    for kind in KINDS:
        expected = np.array(means(one, kind)) + factor * np.array(means(other, kind))
        assert means(both, kind) == pytest.approx(expected, abs=1e-8)


def test_teachers_that_add_up_have_what_they_add() -> None:
    shares = {"a": 4.0, "b": -1.5, "c": 0.25}
    found = attributed(rows(lambda team: chance(frozenset()) + sum(shares[name] for name in team), 3))
    for kind in KINDS:
        assert means(found, kind) == pytest.approx(list(shares.values()))
    assert found.total.mean == pytest.approx(2.75)


def test_by_hand() -> None:
    """Gloves: a has a left one, b and c a right one, and a pair is worth 6. Shapley: 4, 1 and 1."""
    found = attributed(rows(lambda team: chance(frozenset()) + 6 * ("a" in team and len(team) > 1), 3))
    assert means(found) == pytest.approx([4, 1, 1])
    assert means(found, "leave-one-out") == pytest.approx([6, 0, 0])
    assert means(found, "alone") == pytest.approx([0, 0, 0])


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_what_seeds_and_units_do_to_all_teams_cancels(count: int, draw: int) -> None:
    rng = np.random.default_rng(draw)
    seed, unit = rng.normal(0, 30, (3, 1)), rng.normal(0, 30, (1, UNITS))
    plain = attributed(rows(lambda team: chance(team, draw), count))
    shifted = attributed(rows(lambda team: chance(team, draw) + seed + unit, count))
    for a, b in zip(plain.worths, shifted.worths, strict=True):
        for kind in KINDS:
            same(a.estimates[kind], b.estimates[kind])


def test_p_values_are_corrected_over_teachers() -> None:
    found = attributed(rows(chance, 4))
    for kind in KINDS:
        p = sorted((one.estimates[kind].p, one.corrected[kind]) for one in found.worths)
        stepped = 0.0
        for place, (raw, corrected) in enumerate(p):
            stepped = max(stepped, min(1.0, raw * (4 - place)))
            assert corrected == pytest.approx(stepped)


def test_only_seeds_that_all_teams_have_count() -> None:
    """In whatever order a row has them."""
    given = rows(chance, 2)
    given[frozenset("a")] = Scores((8, 4, 3), given[frozenset("a")].values[[2, 1, 0]])
    found = attributed(given)
    expected = attributed({team: Scores((3, 8), chance(team)[[0, 2]]) for team in teams_of("ab")})
    assert found.seeds == (3, 8)
    assert found.worths == expected.worths
    assert "left out, as not every sub-team has them: seeds 4, 5" in found.notes


def test_errors() -> None:
    full = rows(chance, 2)
    partial = {team: row for team, row in full.items() if team not in (frozenset(), frozenset("ab"))}
    with pytest.raises(KdbenchError, match=r"^2 of 4 sub-teams are missing: no distillation; a \+ b$"):
        attributed(partial)
    with pytest.raises(KdbenchError, match=r"teams with b, not among the teachers a"):
        attributed(full, "a")
    with pytest.raises(KdbenchError, match=r"share no seed.*no distillation: 0; a: 3, 5, 8; b"):
        attributed(full | {frozenset[str](): Scores((0,), chance(frozenset())[:1])})
    with pytest.raises(KdbenchError, match="splits of different sizes"):
        attributed(full | {frozenset("b"): Scores(SEEDS, chance(frozenset("b"))[:, 1:])})
    with pytest.raises(KdbenchError, match="nothing to attribute"):
        attributed({frozenset[str](): full[frozenset()]})


def steady(
    shares: Mapping[str, float], count: int = 3, seeds: tuple[int, ...] = SEEDS, metric: Metric = METRIC
) -> TeamAttribution:
    """Teachers that add up, each team with a little noise of its own."""
    return attributed(
        rows(lambda team: (chance(team)[: len(seeds)] - 50) / 100 + sum(shares.get(name, 0.0) for name in team), count, seeds),
        metric=metric,
    )


def test_the_verdict() -> None:
    found = steady({"a": 5.0, "c": -3.0})
    said = found.verdict
    assert said.startswith("In the team a + b + c, `a` improves ")
    assert "; `b` makes no significant difference (" in said
    assert f"`a` improves RSUM by {means(found, 'leave-one-out')[0]:.2f} (" in said
    assert f"; `c` worsens RSUM by {-means(found, 'leave-one-out')[2]:.2f} (" in said
    assert "one seed" not in said
    assert steady({"a": 5.0}, seeds=(3,)).verdict.endswith("; one seed: the variance of training is unknown")


def test_a_lower_error_is_an_improvement() -> None:
    found = steady({"a": 5.0, "c": -3.0}, metric=ERROR)
    assert found.verdict.startswith("In the team a + b + c, `c` improves error by ")
    assert "`a` worsens error by " in found.verdict
    assert next(row[0] for row in found.rows()) == "c"
    assert any(line.split()[:4] == ["teacher", "worth", "error", "(K)"] for line in found.lines())


def test_the_table() -> None:
    found = steady({"c": 5.0})
    lines = found.lines()
    assert lines[0] == found.verdict
    table = found.rows()
    assert next(row[0] for row in table if row[0]) == "c"  # the largest share first
    assert sorted(row[0] for row in table if row[0]) == ["a", "b", "c", "the team"]
    assert table[-1][2] == f"{found.total.mean:+.2f}"
    assert all(any(cell in line for line in lines) for row in table for cell in row)
    assert any(line.split() == ["a", "+", "b", "+", "c", f"{found.teams['a', 'b', 'c']:.2f}"] for line in lines)
    assert any("8 sub-teams over 3 seeds (3, 5, 8); p-values corrected for 3 teachers" in line for line in lines)
    assert not any("a + b" in line.split("  ")[0] for line in attributed(rows(chance, 5)).lines()[2:])  # 32 are too many


def test_plain_is_json_with_the_same_figures() -> None:
    found = steady({"a": 5.0})
    read = json.loads(json.dumps(found.plain()))
    assert [one["teacher"] for one in read["worths"]] == ["a", "b", "c"]
    for shown, one in zip(read["worths"], found.worths, strict=True):
        for kind in KINDS:
            assert (shown[kind]["mean"], shown[kind]["low"]) == (one.estimates[kind].mean, one.estimates[kind].low)
            assert shown[kind]["p_corrected"] == one.corrected[kind]
    assert {named(one["team"]): one["mean"] for one in read["teams"]} == {named(k): v for k, v in found.teams.items()}
    assert (read["metric"], read["method"], read["seeds"], read["comparisons"]) == (HEADLINE, "Shapley", [3, 5, 8], 3)


def test_of_cells(spec: Callable[..., Any]) -> None:
    """From ranks: leave-one-out is the difference of two cells, and the metric can be another."""
    sizes = {"images": 20, "captions": 40, "concepts": 20}
    cells = {}
    for team in teams_of("ab"):
        runs = []
        for seed in range(3):
            rng = np.random.default_rng([seed, len(team), "a" in team])
            text, image = (rng.integers(1, 12, size=size, dtype=np.int32) for size in (20, 40))
            laid_out = spec(seed=seed, team=[{"name": name, "use": "lens"} for name in sorted(team)])
            runs.append(finished(laid_out, text, image))
        cells[team] = cell_of(runs, sizes)
    for metric in ("", "image_retrieval_recall@5"):
        found, name = attribute(cells, Shapley(), metric), metric or HEADLINE
        expected = estimate(difference(cells[frozenset("ab")].scores(name), cells[frozenset("a")].scores(name)).values)
        same(worth(found, "b").estimates["leave-one-out"], expected)
        assert found.metric.name == name
    with pytest.raises(KdbenchError, match=r"no metric 'rsun'; did you mean 'rsum'\?"):
        attribute(cells, Shapley(), "rsun")
    with pytest.raises(KdbenchError, match="1 of 4 sub-teams are missing: b"):
        attribute({team: cell for team, cell in cells.items() if team != frozenset("b")}, Shapley())


@pytest.mark.parametrize("seeds", [(0,), (0, 4, 9)])
def test_worths_in_folds_are_estimated_in_folds(seeds: tuple[int, ...]) -> None:
    folds = (8, 12, 10)
    plain = rows(lambda team: chance(team)[: len(seeds)], 2, seeds)
    found = attributed({team: replace(scores, folds=folds) for team, scores in plain.items()})
    everyone, nobody = frozenset("ab"), frozenset[str]()
    same(found.total, estimate_in_folds(plain[everyone].values - plain[nobody].values, folds))
    alone = worth(found, "a").estimates["alone"]
    same(alone, estimate_in_folds(plain[frozenset("a")].values - plain[nobody].values, folds))
    assert sum(means(found)) == pytest.approx(found.total.mean)
    said = ONE_SEED if seeds == (0,) else ""
    assert (said in found.notes, said in found.verdict) == (bool(said), True)
