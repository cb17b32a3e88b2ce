"""Races of rows: who stops when, and what is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.looks import Stop, look_at, look_once
from kdbench.statistics.pair_tests import Pairs

SEEDS = (3, 6, 12)
MARGIN = 2.0


def rows(truths: list[float], seeds: int = 12, units: int = 30, draw: int = 0, noise: float = 1.0) -> list[Scores]:
    rng = np.random.default_rng(draw)
    hard = rng.normal(size=units) + rng.normal(size=(seeds, 1))
    shape = (len(truths), seeds, units)
    values = np.reshape(truths, (-1, 1, 1)) + hard + rng.normal(0, noise, (*shape[:2], 1)) + rng.normal(0, noise, shape)
    return [Scores(tuple(range(seeds)), one) for one in values]


def cut(row: Scores, seeds: int) -> Scores:
    return Scores(row.seeds[:seeds], row.values[:seeds])


def test_far_rows_stop_first_and_the_winner_with_the_last_of_them() -> None:
    found = look_at(rows([20.0, 0.0, 10.0]), SEEDS, MARGIN)
    assert found.stops == [Stop("settled", 1), Stop("worse", 1, than=0), Stop("worse", 1, than=0)]
    assert found.seeds == (3,)
    assert found.better.tolist() == [[False, True, True], [False, False, False], [False, True, False]]
    assert 0 < found.spent < LEVEL
    assert found.running == []


def test_lower_may_be_better() -> None:
    found = look_at(rows([20.0, 0.0]), SEEDS, MARGIN, higher_is_better=False)
    assert found.stops == [Stop("worse", 1, than=1), Stop("settled", 1)]


def test_equal_rows_settle_when_they_are_equivalent() -> None:
    found = look_at(rows([0.0, 0.0, 0.0], noise=0.1), SEEDS, MARGIN)
    assert {stop.why for stop in found.stops} == {"settled"}
    assert found.alike[~np.eye(3, dtype=bool)].all()
    assert not found.better.any()


def test_what_is_never_decided_has_all_seeds() -> None:
    found = look_at(rows([0.0, 0.0], noise=3.0), SEEDS, MARGIN)
    assert found.stops == [Stop("all seeds", 3)] * 2
    assert found.spent == pytest.approx(LEVEL)
    assert found.seeds == SEEDS


def test_rows_that_wait_for_seeds_are_running() -> None:
    several = rows([0.0, 0.2, 40.0], noise=3.0)
    found = look_at([cut(several[0], 4), cut(several[1], 6), several[2]], SEEDS, MARGIN)
    assert [stop.why for stop in found.stops] == ["worse", "worse", "settled"]
    found = look_at([cut(row, 4) for row in rows([0.0, 0.2], noise=3.0)], SEEDS, MARGIN)
    assert found.running == [0, 1]
    assert found.seeds == (3,)
    assert look_at([cut(row, 2) for row in several], SEEDS, MARGIN).stops == [Stop("running")] * 3


def test_a_row_without_figures_does_not_go_on() -> None:
    several = rows([0.0, 0.2, 40.0], noise=3.0)
    found = look_at([cut(several[0], 4), cut(several[1], 4)], SEEDS, MARGIN)
    assert (found.running, found.ended, found.lacking) == ([0, 1], False, [])
    assert str(found).endswith("2 of 2 rows go on")
    one = found.without({1: "failed"})
    assert (one.running, one.ended, one.lacking) == ([0], False, [1])
    assert one.stops[1].text == "failed"
    assert str(one).endswith("tested at 3 seeds, spending 0.31% of the 5%; 1 of 2 rows goes on")
    both = found.without({0: "skipped", 1: "diverged"})
    assert (both.running, both.ended, both.lacking) == ([], True, [0, 1])
    assert str(replace(both, spent=LEVEL)).endswith("tested at 3 seeds, spending all 5%; no row goes on")
    decided = look_at(several, SEEDS, MARGIN)
    assert decided.without({0: "failed"}).stops == decided.stops


def test_without_a_margin_nothing_is_equivalent() -> None:
    found = look_at(rows([0.0, 0.0], noise=0.01), SEEDS, 0.0)
    assert not found.alike.any()
    assert np.isnan(found.equivalent[0, 1])
    assert not look_once(rows([0.0, 0.0], noise=0.01), 0.0).alike.any()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.floats(-4, 4), min_size=2, max_size=6))
def test_seeds_after_a_row_s_stop_change_nothing(draw: int, truths: list[float]) -> None:
    """The race ends as it would with the seeds alone that it asked for: what is replayed from records is what was decided."""
    every = rows(truths, draw=draw, noise=2.0)
    whole = look_at(every, SEEDS, MARGIN)
    asked = [cut(row, SEEDS[stop.look - 1]) for row, stop in zip(every, whole.stops, strict=True)]
    again = look_at(asked, SEEDS, MARGIN)
    assert again.stops == whole.stops
    np.testing.assert_array_equal(again.better, whole.better)
    np.testing.assert_array_equal(again.corrected, whole.corrected)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_decisions_stay_as_seeds_are_added(draw: int, count: int) -> None:
    every = rows(np.linspace(0, 3, count).tolist(), draw=draw, noise=2.0)
    early, late = (look_at([cut(row, seeds) for row in every], SEEDS, MARGIN) for seeds in (6, 12))
    assert not (early.better & ~late.better).any()
    assert not (early.alike & ~late.alike).any()
    assert all(one == other for one, other in zip(early.stops, late.stops, strict=True) if one.why != "running")


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_one_look_at_the_whole_level_is_holm_s_test(draw: int) -> None:
    several = rows([0.0, 0.5, 1.0, 2.0], draw=draw)
    found, plain = look_at(several, (12,), MARGIN), look_once(several, MARGIN)
    apart = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found.corrected[apart], Pairs(several).corrected_p()[apart])
    np.testing.assert_array_equal(found.better, plain.better)
    np.testing.assert_allclose(found.equivalent[apart], Pairs(several).corrected_equivalence_p(MARGIN)[apart])
    np.testing.assert_array_equal(found.alike[apart], plain.alike[apart])


def test_an_early_look_has_its_share_of_the_level_alone() -> None:
    """The power family with power 2: at 3 of 12 seeds a sixteenth of 5 %, at 6 another three sixteenths."""
    several = rows([0.0, 1.0, 2.5], noise=2.0, draw=1)
    first = look_at([cut(row, 3) for row in several], SEEDS, MARGIN)
    np.testing.assert_allclose(first.corrected, np.minimum(16 * corrected_at(several, 3), 1.0))
    second = look_at([cut(row, 6) for row in several], SEEDS, MARGIN)
    assert second.stops == [Stop("running")] * 3
    alone = np.fmin(first.corrected, np.minimum(16 / 3 * corrected_at(several, 6), 1.0))
    both = np.fmin(first.corrected, np.minimum(16 / 4 * corrected_at(several, 6), 1.0))
    pairs = np.triu_indices(3, 1)
    assert (second.corrected[pairs] <= alone[pairs]).all()
    assert (second.corrected[pairs] >= both[pairs]).all()
    assert (second.corrected < first.corrected).any()


def corrected_at(several: list[Scores], seeds: int) -> NDArray[np.float64]:
    """p-values of all pairs, corrected for pairs, with the first seeds alone; no diagonal."""
    p = Pairs([cut(row, seeds) for row in several]).corrected_p()
    np.fill_diagonal(p, np.nan)
    return p


def test_a_table_finds_differences_at_5_percent() -> None:
    between = 0
    for draw in range(60):
        several = rows([0.0, 0.6], seeds=6, draw=draw)
        p = Pairs(several).corrected_p()[0, 1]
        found = look_once(several, 0.0).better
        assert found.any() == (p < 0.05)
        between += 0.05 < p < 0.1
    assert between


def test_of_a_pair_no_look_both_separates_and_equates() -> None:
    """Only a pair closer than the margin yet surely apart is both: significantly better, and by too little to matter."""
    found = look_at(rows([1.0, 0.0], noise=0.05), SEEDS, MARGIN)
    assert found.better[0, 1]
    assert found.alike[0, 1]
    far = look_at(rows([5.0, 0.0], noise=0.05), SEEDS, MARGIN)
    assert far.better[0, 1]
    assert not far.alike[0, 1]


def test_rows_that_seeds_will_not_tell_from_the_leader_stop_for_futility_and_the_leader_with_them() -> None:
    close = rows([0.5, 0.0, 0.3, -60.0], noise=6.0, draw=2)
    patient, hurried = look_at(close, SEEDS, MARGIN), look_at(close, SEEDS, MARGIN, futility=0.2)
    assert [stop.why for stop in patient.stops] == ["all seeds", "all seeds", "all seeds", "worse"]
    assert hurried.stops[3] == Stop("worse", 1, than=1)
    assert [stop.why for stop in hurried.stops[:3]] == ["futile"] * 3
    assert hurried.ended
    assert max(stop.look for stop in hurried.stops) < 3
    assert hurried.stops[0].text.startswith("futile, look ")


def test_a_leader_waits_for_those_that_may_still_be_told_from_it() -> None:
    found = look_at(rows([9.0, 0.0, 8.5], noise=2.0, draw=3), SEEDS, MARGIN, futility=0.2)
    assert found.stops[0] == Stop("futile", 1)
    assert found.stops[1] == Stop("worse", 2, than=2)
    assert found.stops[2] == Stop("settled", 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.99))
def test_futility_adds_no_claim_where_no_row_has_stopped_before(draw: int, least: float) -> None:
    """Until the first stop for futility both races see the same rows, and so find the same."""
    several = rows([0.0, 1.0, 2.0, 4.0], noise=3.0, draw=draw)
    patient, hurried = look_at(several, SEEDS, MARGIN), look_at(several, SEEDS, MARGIN, futility=least)
    first = min((stop.look for stop in hurried.stops if stop.why == "futile"), default=3)
    early, same = (look_at([cut(row, SEEDS[first - 1]) for row in several], SEEDS, MARGIN, futility=f) for f in (0.0, least))
    assert (early.better == same.better).all()
    assert (patient.better >= early.better).all()


def test_without_the_rule_nothing_changes() -> None:
    several = rows([3.0, 0.0, 2.0], noise=6.0)
    assert look_at(several, SEEDS, MARGIN, futility=0.0).stops == look_at(several, SEEDS, MARGIN).stops


@pytest.mark.parametrize("futility", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("folds", [(), (30, 30, 30)])
def test_equal_rows_are_rarely_told_apart_however_many_are_given_up(folds: tuple[int, ...], futility: float) -> None:
    """200 tables of six equal rows. Without the pool of all rows, or without counting the pairs given up, 6 to 12 % err."""
    rng, looks, false = np.random.default_rng(5), (1, 2, 3, 4) if folds else (3, 5, 8, 12), 0
    units = sum(folds) or 60
    for _ in range(200):
        runs = np.repeat(rng.normal(0, 0.5, (6, looks[-1], max(len(folds), 1))), folds or units, axis=2)
        values = rng.normal(0, 1, units) + rng.normal(0, 0.3, (6, 1, units)) + rng.normal(0, 1, (6, looks[-1], units)) + runs
        several = [Scores(tuple(range(looks[-1])), one, folds=folds) for one in values]
        false += bool(look_at(several, looks, 0.5, futility=futility).better.any())
    assert false <= 10  # 5 %
