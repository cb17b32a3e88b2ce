"""Whether intervals have their nominal coverage: simulated suites whose truth is known. `make bench`, under three minutes.

Ranks are drawn as 1 + a log-normal's integer part with effects of unit, query, seed and row and their interactions, so that
R@K is known in closed form. Sizes are the emoji dataset's: 294 concepts, two images and some four captions each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t

from kdbench.statistics.bootstrap import bootstrap_interval
from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import Estimate, estimate, lone_half_width, mean_squares
from kdbench.statistics.pair_tests import Pairs, holm
from kdbench.tasks.retrieval.units import Units, contributions

Floats = NDArray[np.float64]
SUITES = 1000
UNITS, IMAGES = 294, 2
CAPTIONS = np.random.default_rng(7).choice([2, 3, 4, 5], size=UNITS, p=[0.1, 0.2, 0.4, 0.3])
RECALL_AT = (1, 5, 10)
MEAN, UNIT, QUERY, ROW_UNIT, ROW_QUERY, NOISE, SEED = 3.0, 1.0, 1.0, 0.3, 0.4, 1.2, 0.06  # of the logarithm of a rank


@dataclass
class World:
    """Suites of rows that do not differ. `training`: how much seeds move a row alone, 0.06 being some 5 points of RSUM."""

    rows: int
    seeds: int
    training: list[float]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def suite(self) -> Floats:
        """RSUM's contributions [R, S, U] of one suite."""
        shape = (self.rows, self.seeds, 1)
        moved = self.rng.normal(0, SEED, shape[1:]) + self.rng.normal(size=shape) * np.reshape(self.training, (-1, 1, 1))
        unit = self.rng.normal(0, UNIT, UNITS) + self.rng.normal(0, ROW_UNIT, (self.rows, 1, UNITS))
        images, captions = (self._side(counts, moved, unit) for counts in (np.full(UNITS, IMAGES), CAPTIONS))
        return images + captions

    def _side(self, counts: NDArray[np.int64], moved: Floats, unit: Floats) -> Floats:
        queries = int(counts.sum())
        # What training adds to a row's spread is taken from its noise: marginal distributions, and so R@K, stay equal.
        noise = np.sqrt(NOISE**2 - np.square(self.training))[:, None, None]
        logs = self.rng.standard_normal((self.rows, self.seeds, queries), dtype=np.float32) * noise
        logs += self.rng.normal(0, QUERY, queries) + self.rng.normal(0, ROW_QUERY, (self.rows, 1, queries))
        logs += MEAN + moved + np.repeat(unit, counts, axis=-1)
        hits = np.sum([logs < np.log(k) for k in RECALL_AT], axis=0)  # rank ≤ K where 1 + ⌊exp⌋ ≤ K
        mean = hits.mean(axis=(1, 2), keepdims=True)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        sums: Floats = np.add.reduceat(hits - mean, starts, axis=-1)
        shares: Floats = 100 * (mean + sums * UNITS / queries)
        return shares

    @property
    def truth(self) -> float:
        """RSUM of every row, over all seeds and units there could be."""
        spread = np.sqrt(UNIT**2 + QUERY**2 + ROW_UNIT**2 + ROW_QUERY**2 + NOISE**2 + SEED**2)
        return float(200 * norm.cdf((np.log(RECALL_AT) - MEAN) / spread).sum())


def satterthwaite_p(x: Floats) -> float:
    """One t for the whole variance: what is not used, for comparison."""
    squares = mean_squares(x)
    total = squares.seed + squares.unit_excess
    df = total**2 / (squares.seed**2 / (squares.seeds - 1) + squares.unit**2 / (squares.units - 1))
    return float(2 * t.sf(abs(squares.mean) / np.sqrt(total / x.size), df))


def test_the_simulation_and_the_package_make_the_same_contributions() -> None:
    """The simulation sums hits over K first and knows where units begin; the package takes any ranks."""
    rng, world = np.random.default_rng(3), World(1, 2, [0.06], np.random.default_rng(11))
    again = np.random.default_rng(11)
    moved = again.normal(0, SEED, (2, 1)) + again.normal(size=(1, 2, 1)) * 0.06
    unit = again.normal(0, UNIT, UNITS) + again.normal(0, ROW_UNIT, (1, 1, UNITS))
    ranks = []
    for counts in (np.full(UNITS, IMAGES), CAPTIONS):
        queries = int(counts.sum())
        noise = again.standard_normal((1, 2, queries), dtype=np.float32) * np.sqrt(NOISE**2 - 0.06**2)
        noise += again.normal(0, QUERY, queries) + again.normal(0, ROW_QUERY, (1, 1, queries))
        ranks.append(1 + np.floor(np.exp(noise + MEAN + moved + np.repeat(unit, counts, axis=-1))[0]).astype(int))
    order = rng.permutation(int(CAPTIONS.sum()))
    units = Units(np.repeat(np.arange(UNITS), IMAGES), np.repeat(np.arange(UNITS), CAPTIONS)[order], UNITS)
    found = contributions(ranks[0], ranks[1][:, order], units, RECALL_AT)["rsum"]
    np.testing.assert_allclose(found, world.suite()[0], atol=1e-3)


@pytest.mark.parametrize("spread", ["alike", "one row far more", "a third more"])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("rows", [6, 20])
def test_false_winners_and_coverage(rows: int, seeds: int, spread: str) -> None:
    training = np.full(rows, 0.06)
    if spread == "one row far more":
        training[0] = 0.2
    if spread == "a third more":
        training[:] = 0.03
        training[: rows // 3] = 0.1
    world = World(rows, seeds, training.tolist())
    suites = SUITES if spread == "alike" else SUITES // 2
    wrong, plain_wrong = 0, 0
    cells: list[bool] = []
    pairs: list[bool] = []
    boots: list[bool] = []
    for number in range(suites):
        x = world.suite()
        wrong += bool((Pairs([Scores(tuple(range(seeds)), one) for one in x]).corrected_p() < 0.05).any())
        cells += [covers_alone(one, world.truth) for one in x[:6]]
        pairs += [covers(estimate(x[i] - x[i + 1]), 0.0) for i in range(0, rows - 1, 2)]
        if number < 200:
            boots.append(bool(np.prod(np.sign(bootstrap_interval(x[0] - x[1], 400, world.rng))) < 0))
            differences = [x[i] - x[j] for i in range(rows) for j in range(i)]
            plain_wrong += bool((holm(np.array([satterthwaite_p(one) for one in differences])) < 0.05).any())
    share = wrong / suites
    print(
        f"\n{rows} rows, {seeds} seeds, training {spread}: false winners in {share:.1%} of suites "
        f"(a Satterthwaite t: {plain_wrong / 200:.0%}); intervals cover: cells {np.mean(cells):.1%}, "
        f"differences {np.mean(pairs):.1%} (percentile bootstrap: {np.mean(boots):.0%})"
    )
    assert share <= 0.065
    assert 0.93 <= np.mean(cells) <= 0.97
    assert 0.93 <= np.mean(pairs) <= 0.97


def covers_alone(x: Floats, truth: float) -> bool:
    """As the mean of a row is shown."""
    squares = mean_squares(x)
    return bool(abs(squares.mean - truth) <= lone_half_width(squares))


def covers(found: Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high
