"""Variances of a difference between two rows, and what intervals and power they give at other numbers of seeds and units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import LEVEL, MeanSquares
from kdbench.statistics.folds import Floats, fold_means, fold_squares, median_of_chi_square, weight_of

WANTED = 0.8
QUANTILES = (np.arange(400) + 0.5) / 400  # at which the distribution of a mean square is evaluated


@dataclass(frozen=True)
class Components:
    """Variances of a difference, in the square of the headline's shown unit: between seeds, between test units, and of what is
    left for one seed and unit."""

    seed: float
    unit: float
    residual: float

    @property
    def kinds(self) -> dict[str, float]:
        """The variances by what varies."""
        return {"seeds": self.seed, "units of the test split": self.unit, "residual": self.residual}

    def half_width(self, seeds: int, units: int, level: float = LEVEL) -> float:
        """Half the width of the interval of `estimate` at 1 − `level`, with these variances. Needs two seeds and two units."""
        by_seed, by_unit = self.seed / seeds + self.residual / (seeds * units), self.unit / units
        if by_seed + by_unit == 0:
            return 0.0
        quantiles = -stdtrit(seeds - 1, level / 2), -stdtrit(units - 1, level / 2)
        return float((quantiles[0] * by_seed + quantiles[1] * by_unit) / math.sqrt(by_seed + by_unit))

    def power(self, difference: float, seeds: float, units: float) -> float:
        """The probability that the test of `estimate` at 5 % finds a true `difference`; `seeds` and `units` may be infinite.

        The mean and its mean square of seeds are independent: the power is averaged over the distribution of the latter,
        while the mean square of units, which many units estimate well, counts as known. The power grows with both numbers,
        except that with two or three seeds more units may lower it slightly, as t then depends on seeds alone. Needs two
        seeds and two units.
        """
        by_seed, by_unit = self.seed / seeds + self.residual / (seeds * units), self.unit / units
        if by_seed + by_unit == 0:
            return 1.0
        half_df = (seeds - 1) / 2
        squares = gammaincinv(half_df, QUANTILES) / half_df if math.isfinite(seeds) else np.ones(1)  # chi-square's quantiles
        edges = [_edge(seeds - 1), _edge(units - 1)]
        half = (edges[0] * by_seed * squares + edges[1] * by_unit) / np.sqrt(by_seed * squares + by_unit)
        return _found(difference, half, math.sqrt(by_seed + by_unit))

    def detectable(self, seeds: int, units: int) -> float:
        """The smallest true difference that is found with 80 % power at 5 %, to a thousandth. Needs two seeds and two units."""
        high = 1.0
        while self.power(high, seeds, units) < WANTED:
            high *= 2
        low = 0.0
        while high - low > 1e-3 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, seeds, units) >= WANTED else (middle, high)
        return high


@dataclass(frozen=True)
class FoldComponents(Components):
    """The same in cross-validation: `seed` is the variance between runs of one fold, `fold` that between folds beyond it.

    `folds` is their number, `share` the sum of their squared shares of the units.
    """

    fold: float
    folds: int
    share: float

    @property
    def kinds(self) -> dict[str, float]:
        return {"runs": self.seed, "folds": self.fold, "units of the test split": self.unit, "residual": self.residual}

    def half_width(self, seeds: int, units: int, level: float = LEVEL) -> float:
        by_fold, by_unit = self._parts(seeds, units)
        if by_fold + by_unit == 0:
            return 0.0
        quantiles = -stdtrit(self.folds - 1, level / 2), -stdtrit(max(units - self.folds, 1), level / 2)
        return float((quantiles[0] * by_fold + quantiles[1] * by_unit) / math.sqrt(by_fold + by_unit))

    def power(self, difference: float, seeds: float, units: float) -> float:
        by_fold, by_unit = self._parts(seeds, units)
        if by_fold + by_unit == 0:
            return 1.0
        df = self.folds - 1
        between = (by_fold + by_unit) * gammaincinv(df / 2, QUANTILES) / (df / 2)
        excess = np.maximum(between / median_of_chi_square(df) - by_unit, 0.0)
        half = (_edge(df) * excess + _edge(max(units - self.folds, 1)) * by_unit) / np.sqrt(
            np.maximum(excess + by_unit, 1e-300)
        )
        return _found(difference, half, math.sqrt(by_fold + by_unit))

    def _parts(self, seeds: float, units: float) -> tuple[float, float]:
        return (self.fold + self.seed / seeds) * self.share, self.unit / units + self.residual / (seeds * units)


def components_of(between: Scores) -> Components:
    """The variances that the table of a difference, over two seeds or more, points to."""
    return _in_folds(between.values, between.folds) if between.folds else components(between.squares)


def components(squares: MeanSquares) -> Components:
    """The same from mean squares of a table without folds."""
    return Components(
        seed=max(float(squares.seed - squares.residual), 0.0) / squares.units,
        unit=max(float(squares.unit - squares.residual), 0.0) / squares.seeds,
        residual=float(squares.residual),
    )


def _in_folds(x: Floats, sizes: tuple[int, ...]) -> FoldComponents:
    seeds, units = x.shape
    squares, counts = fold_squares(x, sizes), np.asarray(sizes)
    by_run, residual = run_squares(x, sizes)
    share = float(np.square(counts / units).sum())
    seed = max(by_run - residual, 0.0) * len(sizes) / units
    added = weight_of(sizes) * max(float(squares.between - squares.unit), 0.0) / (seeds * units * share)
    return FoldComponents(
        seed=seed,
        unit=max(float(squares.unit) - residual, 0.0) / seeds,
        residual=residual,
        fold=max(added - seed / seeds, 0.0),
        folds=len(sizes),
        share=share,
    )


def run_squares(x: Floats, sizes: tuple[int, ...]) -> tuple[float, float]:
    """Of `x` [S, U] in folds, S two or more: the mean square between the runs of one fold, and what is left within them."""
    seeds, units = x.shape
    counts = np.asarray(sizes)
    runs = fold_means(x, sizes)
    moved = runs - runs.mean(axis=0)
    rest = x - x.mean(axis=0) - np.repeat(moved, counts, axis=1)
    by_run = float((counts * np.square(moved)).sum()) / ((seeds - 1) * len(sizes))
    return by_run, float(np.square(rest).sum()) / ((seeds - 1) * (units - len(sizes)))


def _edge(df: float) -> float:
    return float(-stdtrit(df, LEVEL / 2) if math.isfinite(df) else -ndtri(LEVEL / 2))


def _found(difference: float, half: Floats, deviation: float) -> float:
    found = ndtr((difference - half) / deviation) + ndtr((-half - difference) / deviation)
    return float(found.mean())
