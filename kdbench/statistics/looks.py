"""Tests of rows that are raced: at each look the rows still running are tested, and those that are decided stop.

A pair is decided if one row is significantly better, or if the two are equivalent. A p-value at a look counts as the error
rate of all looks at which it would be a claim (`spending`); Holm's correction of these (Maurer & Bretz 2013, Stat. Biopharm.
Res. 5) counts the pairs of rows still running that are not yet decided. Where no row has been stopped, 5 % bounds the
probability that a table ever has a false difference, and likewise a false equivalence. Pairs of rows that are worse or settled
are no longer counted: which these are depends on the data, so that the bound is then shown by simulation
(tests/benchmarks/test_racing.py). A plain table is tested once, with all its seeds.

With a rule for futility a race asks which row is the best: a row stops as soon as its question with the leader is answered, or
if what seeds are left would hardly answer it (`futility`). Pairs of a row given up so and one still running are counted on:
without them 9 % of simulated tables had a false difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import counted
from kdbench.records.record import Status
from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.pair_tests import Pairs, Pool, difference, holm
from kdbench.statistics.spending import spending

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Why = Literal["running", "worse", "settled", "futile", "all seeds"]


@dataclass(frozen=True)
class Stop:
    """Where a row stands: `why` it stopped, or that it is `running`, or the status of a run that left it without figures; at
    which look (from 1, else 0); and the row that it is `worse` than, None unless that is why."""

    why: Why | Status
    look: int = 0
    than: int | None = None

    @property
    def text(self) -> str:
        """For a table: `worse, look 2`."""
        return f"{self.why}, look {self.look}" if self.why in ("worse", "settled", "futile") else self.why


@dataclass(frozen=True)
class Looks:
    """What the tests of rows found.

    `corrected` and `equivalent` [R, R] hold p-values corrected for pairs and looks, to be compared with 5 %; NaN where a pair
    was never tested. `better` [R, R] says whether row i is significantly better than row j, `alike` whether they are
    equivalent. Of a race, `stops` tells of each row, `seeds` those at the looks so far; `spent` is the level that these had.
    """

    corrected: Floats
    equivalent: Floats
    better: Flags
    alike: Flags
    stops: list[Stop] = field(default_factory=list)
    seeds: tuple[int, ...] = ()
    spent: float = LEVEL

    def __str__(self) -> str:
        if not self.seeds:
            return "not yet tested"
        at = ", ".join([*map(str, self.seeds[:-1]), counted(self.seeds[-1], "seed")])
        spent = f"all {LEVEL:.0%}" if math.isclose(self.spent, LEVEL) else f"{self.spent:.2%} of the {LEVEL:.0%}"
        running = f"{len(self.running)} of {counted(len(self.stops), 'row')}" if self.running else "no row"
        return f"tested at {at}, spending {spent}; {running} {'goes' if len(self.running) < 2 else 'go'} on"

    @property
    def running(self) -> list[int]:
        """The rows that go on."""
        return [index for index, stop in enumerate(self.stops) if stop.why == "running"]

    @property
    def ended(self) -> bool:
        """Whether no row of a race goes on."""
        return bool(self.seeds) and not self.running

    @property
    def lacking(self) -> list[int]:
        """The rows that have stopped for want of figures."""
        return [index for index, stop in enumerate(self.stops) if stop.why in ("failed", "diverged", "skipped")]

    def without(self, rows: Mapping[int, Status]) -> Looks:
        """The same where a run of each of these `rows` has ended without figures: those still running never will be tested."""
        stops = [Stop(rows[i]) if stop.why == "running" and i in rows else stop for i, stop in enumerate(self.stops)]
        return replace(self, stops=stops)


def look_once(rows: Sequence[Scores], margin: float, higher_is_better: bool = True) -> Looks:
    """The tests of a plain table: each pair once, on the seeds that it shares. Without a `margin` (0) nothing is equivalent."""
    pairs = Pairs(rows)
    corrected = pairs.corrected_p()
    equivalent = pairs.corrected_equivalence_p(margin) if margin else np.full(corrected.shape, np.nan)
    return Looks(corrected, equivalent, (corrected < LEVEL) & _ahead(rows, higher_is_better), equivalent < LEVEL)


def _ahead(rows: Sequence[Scores], higher_is_better: bool) -> Flags:
    """[R, R] whether row i has the better mean, on the seeds that a pair shares."""
    sign = 1 if higher_is_better else -1
    means = sign * np.array([row.values.mean() for row in rows])
    ahead: Flags = means[:, None] > means
    if len({row.seeds for row in rows}) > 1:
        for i, j in combinations(range(len(rows)), 2):
            between = sign * difference(rows[i], rows[j]).values
            ahead[i, j] = bool(between.size) and between.mean() > 0
            ahead[j, i] = bool(between.size) and between.mean() < 0
    return ahead


def look_at(
    rows: Sequence[Scores], seeds: Sequence[int], margin: float, higher_is_better: bool = True, *, futility: float = 0.0
) -> Looks:
    """The looks at these numbers of seeds, as far as rows have them; `margin` is that of equivalence, in the rows' unit. A row
    whose question with the leader has a chance below `futility` (0: no such rule) to be answered stops.

    A look takes the first seeds, by number, of each running row; a row that lacks one of them waits, or has failed, and is not
    tested.
    """
    count = len(rows)
    corrected, equivalent = (np.full((count, count), np.nan) for _ in range(2))
    better, alike = (np.zeros((count, count), dtype=bool) for _ in range(2))
    stops = [Stop("running") for _ in rows]
    seen: list[int] = []
    spent, known = 0.0, None
    spends = spending(tuple(seeds))
    for look, wanted in enumerate(seeds, start=1):
        ready = [index for index, row in enumerate(rows) if stops[index].why == "running" and row.has(wanted)]
        if len(ready) < 2:
            break
        seen.append(wanted)
        spent += LEVEL * float(spends.shares[look - 1])
        there = [rows[index].first(wanted) for index in ready]
        at = np.ix_(ready, ready)
        upper = np.triu_indices(len(ready), 1)
        pairs = Pairs(there, known)
        differs = spends.overall(look - 1, pairs.p())
        equals = spends.overall(look - 1, pairs.equivalence_p(margin)) if margin else np.full(differs.shape, np.nan)
        given_up = _given_up(stops, better | better.T | alike)
        _correct(corrected, at, upper, differs, given_up)
        _correct(equivalent, at, upper, equals, given_up)
        means = np.array([row.values.mean() for row in there]) * (1 if higher_is_better else -1)
        undecided = ~(better | better.T)[at]
        better[at] |= undecided & (corrected[at] < LEVEL) & (means[:, None] > means)
        alike[at] |= equivalent[at] < LEVEL
        _stop(stops, ready, means, better, alike, look, last=wanted == seeds[-1])
        if futility:
            known = _later(pairs.pool, wanted, seeds[look] if look < len(seeds) else wanted, folds=bool(there[0].folds))
            decided = (better | better.T | alike)[at][upper]
            at_last = spends.bound(-1, LEVEL / max((~decided).sum() + given_up, 1))
            chances = np.where(decided, 0.0, pairs.chance(margin, seeds[-1], at_last))
            _stop_for_futility(stops, ready, means, alike, chances, futility, look)
    return Looks(corrected, equivalent, better, alike, stops, tuple(seen), spent)


def _later(pool: Pool, seeds: int, more: int, folds: bool) -> Pool:
    """What a pool of `seeds` seeds says of `more`, in folds that of means over seeds.

    The few rows that are left when others were given up may vary little by chance: they are no better judges of the variance
    than all were. With their own pool 7 % of simulated tables of three folds had a false difference, with that of all 1 %.
    """
    return (pool[0] * seeds / more, pool[1]) if pool and folds else pool


def _given_up(stops: Sequence[Stop], decided: Flags) -> int:
    """The undecided pairs of a row stopped for futility and one still running.

    They go on to count in Holm's correction: which pairs are left is not by chance where those close together were taken out.
    """
    futile = np.array([stop.why == "futile" for stop in stops])
    counted = futile | np.array([stop.why == "running" for stop in stops])
    pairs = (futile[:, None] ^ futile) & counted[:, None] & counted & ~decided
    return int(np.triu(pairs, 1).sum())


def _correct(
    into: Floats, at: tuple[NDArray[np.intp], ...], upper: tuple[NDArray[np.intp], ...], p: Floats, given_up: int
) -> None:
    """Corrects this look's p-values, of all looks, for pairs, and keeps the smaller of them and those of earlier looks."""
    before = into[at]
    own = before[upper]
    fresh = ~(own < LEVEL)  # NaN is fresh
    found = own.copy()
    several = holm(np.concatenate([p[fresh], np.ones(given_up)]))[: int(fresh.sum())]
    found[fresh] = np.fmin(own[fresh], several)
    both = before.copy()
    both[upper] = found
    both.T[upper] = found
    into[at] = both


def _stop(stops: list[Stop], ready: list[int], means: Floats, better: Flags, alike: Flags, look: int, last: bool) -> None:
    """Stops rows worse than the leader, then rows with nothing left to decide, then, at the last look, all."""
    order = [ready[place] for place in np.argsort(-means, kind="stable")]
    for row in order:
        than = next((other for other in order if better[other, row]), None)
        if than is not None:
            stops[row] = Stop("worse", look, than)
    going = [row for row in ready if stops[row].why == "running"]
    decided = better | better.T | alike
    for row in going:
        if all(decided[row, other] for other in going if other != row):
            stops[row] = Stop("settled", look)
    for row in going:
        if last and stops[row].why == "running":
            stops[row] = Stop("all seeds", look)


def _stop_for_futility(
    stops: list[Stop], ready: list[int], means: Floats, alike: Flags, chances: Floats, least: float, look: int
) -> None:
    """Stops rows equivalent to the leader, those with less than the `least` chance to be told from it, and a leader without
    others. `chances` are those of the pairs of `ready` rows."""
    going = [place for place, row in enumerate(ready) if stops[row].why == "running"]
    if not going:
        return
    leader = max(going, key=lambda place: means[place])
    of_pairs = np.zeros((len(ready), len(ready)))
    of_pairs[np.triu_indices(len(ready), 1)] = chances
    with_leader = (of_pairs + of_pairs.T)[leader]
    hopeful = [place for place in going if place != leader and with_leader[place] >= least]
    for place in going:
        if place not in hopeful and not (place == leader and hopeful):
            equivalent = place != leader and alike[ready[place], ready[leader]]
            stops[ready[place]] = Stop("settled" if equivalent else "futile", look)
