"""Whether races err as rarely as they say, and what they save: simulated suites whose truth is known. `make bench`.

Ranks are drawn as in `test_coverage`; a row's truth is added to what its units contribute, in points of RSUM. Training moves a
row alone by some 5 points from seed to seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench.statistics.cells import Scores
from kdbench.statistics.looks import Looks, look_at, look_once
from kdbench.suite.race import Race, RaceDesign
from tests.benchmarks.test_coverage import World
from tests.benchmarks.test_fold_coverage import THREE
from tests.benchmarks.test_fold_coverage import World as FoldedWorld

Floats = NDArray[np.float64]
SUITES = 1000
MARGIN = 3.0  # points of RSUM
SPREAD = 8.0  # points, the standard deviation that strategies had in published tables
MOST_FIXED = 40  # seeds
DESIGN = Race().design
FEW = RaceDesign(min_seeds=3, max_seeds=12, looks=4, futility=0.1)
PATIENT = RaceDesign(min_seeds=3, max_seeds=24, looks=6)  # without a rule for futility


def null(rows: int) -> Floats:
    return np.zeros(rows)


def spread(rows: int) -> Floats:
    return np.sort(np.random.default_rng(rows).normal(0, SPREAD, rows))[::-1]


def behind(rows: int) -> Floats:
    """One leader, and equal rows that are stopped at one look or another: what Holm's correction counts depends on chance."""
    return np.array([8.0] + [0.0] * (rows - 1))


def margin_apart(rows: int) -> Floats:
    """Halves that differ by the margin exactly: calling two of them equivalent is an error."""
    return np.array([0.0] * (rows // 2) + [MARGIN] * (rows - rows // 2))


def raced(x: Floats, truths: Floats, design: RaceDesign) -> Looks:
    rows = [Scores(tuple(range(design.max_seeds)), one + truth) for one, truth in zip(x, truths, strict=True)]
    return look_at(rows, design.seeds_at_looks, MARGIN, futility=design.futility)


def runs_of(found: Looks, design: RaceDesign) -> int:
    return sum(design.seeds_at_looks[stop.look - 1] for stop in found.stops)


@pytest.mark.parametrize("design", [DESIGN, FEW, PATIENT], ids=["3 to 24 seeds", "3 to 12 seeds", "no futility"])
@pytest.mark.parametrize("truth", [null, spread, behind, margin_apart])
@pytest.mark.parametrize("rows", [2, 6, 12, 24])
def test_false_differences_and_false_equivalences(rows: int, truth: Callable[[int], Floats], design: RaceDesign) -> None:
    truths = truth(rows)
    gaps = truths[:, None] - truths
    apart = (np.abs(gaps) >= MARGIN) & ~np.eye(rows, dtype=bool)
    world = World(rows, design.max_seeds, [0.06] * rows, np.random.default_rng(rows))
    better, alike, runs = 0, 0, 0
    suites = SUITES if rows < 24 else SUITES // 2
    for _ in range(suites):
        found = raced(world.suite(), truths, design)
        better += bool((found.better & (gaps <= 0)).any())
        alike += bool((found.alike & apart).any())
        runs += runs_of(found, design)
    most = rows * design.max_seeds
    print(
        f"\n{rows} rows, {truth.__name__}, {design}: false 'better' in {better / suites:.1%} of suites, false 'equivalent' in "
        f"{alike / suites:.1%}; {runs / suites:.0f} of {most} runs"
    )
    assert better / suites <= 0.065
    assert alike / suites <= 0.065


@pytest.mark.parametrize("truth", [null, spread, behind, margin_apart])
@pytest.mark.parametrize("futility", [0.0, 0.1])
@pytest.mark.parametrize("rows", [6, 15])
def test_races_in_folds(rows: int, futility: float, truth: Callable[[int], Floats]) -> None:
    """Looks after each of four seeds, of three folds each; without a rule for futility the design of suites/regimes.yaml."""
    truths = truth(rows)
    gaps = truths[:, None] - truths
    apart = (np.abs(gaps) >= MARGIN) & ~np.eye(rows, dtype=bool)
    design = RaceDesign(min_seeds=1, max_seeds=4, looks=4, futility=futility)
    world = FoldedWorld(rows, design.max_seeds, 0.06, 0.02, folds=THREE, rng=np.random.default_rng(rows))
    better, alike, runs = 0, 0, 0
    for _ in range(SUITES):
        names = tuple(range(design.max_seeds))
        shown = [Scores(names, one + own, folds=THREE) for one, own in zip(world.suite(), truths, strict=True)]
        found = look_at(shown, design.seeds_at_looks, MARGIN, futility=futility)
        better += bool((found.better & (gaps <= 0)).any())
        alike += bool((found.alike & apart).any())
        runs += runs_of(found, design)
    print(
        f"\n{rows} rows, {truth.__name__}, three folds, {design}: false 'better' in {better / SUITES:.1%} of suites, false "
        f"'equivalent' in {alike / SUITES:.1%}; {runs / SUITES:.0f} of {rows * design.max_seeds} cells × seeds"
    )
    assert better / SUITES <= 0.065
    assert alike / SUITES <= 0.065


def test_runs_against_a_fixed_design_of_equal_power() -> None:
    """At most 60 % of the runs, over suites of 6, 12 and 24 rows; few rows leave little to stop early (docs/concepts)."""
    raced_runs, fixed_runs = zip(
        *(runs_of_both(rows, suites) for rows, suites in ((6, 1000), (12, 400), (24, 200))), strict=True
    )
    print(f"all: {sum(raced_runs) / sum(fixed_runs):.0%}")
    assert sum(raced_runs) / sum(fixed_runs) <= 0.6


def runs_of_both(rows: int, suites: int) -> tuple[float, float]:
    """Mean runs of a race, and of a fixed design that finds as many of the worse rows.

    Power is the share of truly worse rows that are found worse than some row. The fixed design gives all rows as many seeds as
    it takes, which may be more than a race's most. Each suite has truths of its own: with one set of six, where the best two
    happen to lie close or not, a race took anywhere between 50 and 80 %.
    """
    rng = np.random.default_rng(rows)
    world = World(rows, MOST_FIXED, [0.06] * rows, rng)
    found: list[float] = []
    runs: list[int] = []
    fixed: dict[int, list[float]] = {seeds: [] for seeds in range(3, MOST_FIXED + 1)}
    for _ in range(suites):
        truths = rng.normal(0, SPREAD, rows)
        worse = np.flatnonzero(truths < truths.max())
        x = world.suite()
        race = raced(x[:, : DESIGN.max_seeds], truths, DESIGN)
        found.append(float(race.better[:, worse].any(axis=0).mean()))
        runs.append(runs_of(race, DESIGN))
        for seeds, powers in fixed.items():
            few = [Scores(tuple(range(seeds)), one[:seeds] + truth) for one, truth in zip(x, truths, strict=True)]
            once = look_once(few, 0.0)
            powers.append(float(once.better[:, worse].any(axis=0).mean()))
    power = float(np.mean(found))
    rising = np.maximum.accumulate([float(np.mean(powers)) for powers in fixed.values()])
    needed = float(np.interp(power, rising, list(fixed)))
    mean = float(np.mean(runs))
    print(
        f"\n{rows} rows: a race finds {power:.1%} of worse rows with {mean:.0f} runs, "
        f"a fixed design with {needed * rows:.0f} ({needed:.1f} seeds): {mean / (needed * rows):.0%}"
    )
    return mean, needed * rows
