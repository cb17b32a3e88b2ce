"""How wide the intervals of differences would be with more seeds, if means and variances remain those found.

As in the tests of a table (`pair_tests`): what training adds is the larger of a pair's own and of all rows', with the degrees
of freedom of the latter. A part of each variance shrinks with seeds; the spread between test units, and between folds, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from kdbench.statistics.cells import Scores
from kdbench.statistics.components import run_squares
from kdbench.statistics.folds import Floats, FoldSquares, excess
from kdbench.statistics.pair_tests import pooled_fold_squares, pooled_seeds, shared_seeds


@dataclass(frozen=True)
class Part:
    """A mean square over the number of seeds: what stays of it whatever that number is, and what each seed adds by itself."""

    stays: Any  # a number, or one for each pair [K], as the following
    by_seed: Any

    def at(self, seeds: Any) -> Floats:
        return np.asarray(self.stays + self.by_seed / seeds)


@dataclass(frozen=True)
class Training:
    """What training adds to the mean square of units, over the number of seeds, with `df` degrees of freedom, as found with so
    many `seeds`. In folds that is what `between` has more than `unit`."""

    between: Part
    unit: Part
    df: Any
    seeds: Any  # a number, or one for each pair [K]
    sizes: tuple[int, ...] = ()

    def at(self, seeds: Any) -> Floats:
        between = self.between.at(seeds)
        return np.asarray(excess(between, self.unit.at(seeds), self.sizes, self.df)) if self.sizes else between

    def df_after(self, more: Any) -> Any:
        """Those of folds stay; others grow with seeds."""
        return self.df if self.sizes else self.df * (self.seeds + more - 1) / (self.seeds - 1)


class Projection:
    """Of K differences over two seeds or more each, `betweens`, between some of `rows`: `means` [K], and `half_widths`."""

    def __init__(self, betweens: Sequence[Scores], rows: Sequence[Scores]) -> None:
        self.means = np.array([one.values.mean() for one in betweens])
        self.seeds = np.array([len(one.seeds) for one in betweens])
        self._size, self._unit_df = betweens[0].squares.units, betweens[0].squares.unit_df
        parts = [_parts(one) for one in betweens]
        between, self._units = (_stacked([part[kind] for part in parts]) for kind in (0, 1))
        folds = betweens[0].folds
        self._own = Training(between, self._units, len(folds) - 1 if folds else self.seeds - 1, self.seeds, folds)
        self._pool = _pooled([row for row in rows if len(row.seeds) > 1])

    def half_widths(self, more: Any, level: float) -> Floats:
        """Half the widths [K] of intervals at 1 − `level`, if pairs had so many `more` seeds, a number or [K]."""
        judge = self._pool or self._own
        training, units = self._own.at(self.seeds) * self._left(judge, more), self._units.at(self.seeds + more)
        if self._pool:
            training = np.maximum(training, self._pool.at(self._pool.seeds + more))
        quantiles = -stdtrit(judge.df_after(more), level / 2), -stdtrit(self._unit_df, level / 2)
        total = training + units
        return np.asarray(
            (quantiles[0] * training + quantiles[1] * units) / np.sqrt(np.where(total > 0, total, 1.0) * self._size)
        )

    def _left(self, judge: Training, more: Any) -> Floats:
        """What is left of the variance of training, as a share [K]: of all rows, as they tell better than a pair how much is of
        runs, which shrinks, and how much of folds."""
        now, later = judge.at(self.seeds), judge.at(self.seeds + more)
        return np.where(now > 0, later / np.where(now > 0, now, 1.0), self.seeds / (self.seeds + more))


def _parts(one: Scores) -> tuple[Part, Part]:
    """The mean squares of one difference that `Training.between` and that units have."""
    squares, seeds = one.squares, len(one.seeds)
    if isinstance(squares, FoldSquares):
        return _fold_parts(float(squares.between), float(squares.unit), run_squares(one.values, one.folds), seeds)
    return Part(0.0, float(squares.seed)), Part(float(squares.unit_excess) / seeds, 0.0)


def _fold_parts(between: float, unit: float, runs: tuple[float, float], seeds: int) -> tuple[Part, Part]:
    """Of mean squares of so many seeds. `runs` are those between the runs of a fold and within them: of what folds add, the
    former explain as much as they have more than the latter; the rest stays."""
    residual = min(runs[1], unit)
    units = Part((unit - residual) / seeds, residual)
    added = max(between - unit, 0.0)
    run = min(max(runs[0] - runs[1], 0.0), added)
    share = min(between / unit, 1.0) if unit else 1.0
    return Part(share * units.stays + (added - run) / seeds, share * units.by_seed + run), units


def _stacked(parts: Sequence[Part]) -> Part:
    return Part(np.array([part.stays for part in parts]), np.array([part.by_seed for part in parts]))


def _pooled(rows: Sequence[Scores]) -> Training | None:
    """That of all rows; None if they do not share two seeds."""
    shared = shared_seeds(rows)
    if len(shared) < 2:
        return None
    if not rows[0].folds:
        pool = pooled_seeds(rows)
        return Training(Part(0.0, pool[0]), Part(0.0, 0.0), pool[1], len(shared)) if pool else None
    found = pooled_fold_squares(rows)
    if found is None:
        return None
    values = np.array([row.values[[row.seeds.index(seed) for seed in shared]] for row in rows])
    squares = np.array([run_squares(one, rows[0].folds) for one in values - values.mean(axis=0)])
    runs = 2 * squares.sum(axis=0) / (len(rows) - 1)
    seeds = len(shared)
    parts = _fold_parts(found[0] * seeds, found[1] * seeds, (float(runs[0]), float(runs[1])), seeds)
    return Training(*parts, found[2], seeds, rows[0].folds)
