"""The mean of a table of seeds × units, both drawn at random and crossed: its interval and its p-value.

x[s, u] = mean + seed_s + unit_u + residual_su (two-way random effects). The variance of the mean is
(MS_seed + MS_unit − MS_residual) / (S·U). Few seeds make MS_seed uncertain and the many units do not, so t is the mean of the
two quantiles t(S−1) and t(U−1), weighted by the parts MS_seed and max(MS_unit − MS_residual, 0): Cochran's (1964) test.
Satterthwaite's degrees of freedom for the sum hold less than they promise with three seeds, and fail at the levels that a
correction for many pairs asks for (tests/benchmarks/test_coverage.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
LEVEL = 0.05
ONE_SEED = "one seed: says nothing of training's chance"
_SMALLEST = 1e-30  # p-values are not told apart below


@dataclass(frozen=True)
class MeanSquares:
    """Of a table of S seeds by U units. With one seed, units alone remain, and two mean squares are 0."""

    seeds: int
    units: int
    mean: float
    seed: float
    unit: float
    residual: float

    @property
    def unit_excess(self) -> float:
        """What units add to the variance that is not already in the seeds' mean square; not negative."""
        return max(self.unit - self.residual, 0.0)


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, 95 % interval and the p-value of no difference from 0."""

    mean: float
    low: float
    high: float
    se: float
    p: float
    seeds: int
    note: str = ""  # what the interval leaves out


def mean_squares(x: Floats) -> MeanSquares:
    """`x` [S, U]. Raises ValueError with fewer than two units."""
    s, u = x.shape
    if u < 2:
        raise ValueError(f"{u} units have no spread; expected at least 2")
    mean = float(x.mean())
    by_seed, by_unit = x.mean(axis=1) - mean, x.mean(axis=0) - mean
    unit = s * float(by_unit @ by_unit) / (u - 1)
    if s == 1:
        return MeanSquares(s, u, mean, 0.0, unit, 0.0)
    rest = x - by_seed[:, None] - by_unit - mean
    seed = u * float(by_seed @ by_seed) / (s - 1)
    return MeanSquares(s, u, mean, seed, unit, float(np.square(rest).sum()) / ((s - 1) * (u - 1)))


def estimate(x: Floats, trained: bool = True) -> Estimate:
    """Of the mean of `x` [S, U]: metrics of a cell, or differences of two. Not `trained` means that seeds play no part."""
    squares = mean_squares(x)
    seed_df = max(squares.seeds - 1, 1)
    half = float(half_width(LEVEL, squares.seed, seed_df, squares))
    return Estimate(
        mean=squares.mean,
        low=squares.mean - half,
        high=squares.mean + half,
        se=float(np.sqrt((squares.seed + squares.unit_excess) / x.size)),
        p=float(p_values([squares], [squares.seed], [seed_df])[0]),
        seeds=squares.seeds,
        note=ONE_SEED if trained and squares.seeds == 1 else "",
    )


def half_width(level: float, seed_square: float, seed_df: float, squares: MeanSquares) -> float:
    """Half the interval's width at 1 − `level`, with the seeds' mean square and its degrees of freedom as given."""
    parts = np.array([seed_square, squares.unit_excess])
    if not parts.any():
        return 0.0
    quantiles = -stdtrit([seed_df, squares.units - 1], level / 2)
    return float(quantiles @ parts / np.sqrt(parts.sum() * squares.seeds * squares.units))


def p_values(squares: list[MeanSquares], seed_squares: Any, seed_dfs: Any) -> Floats:
    """[P]: the level at which each interval just reaches 0, between 1e-30 and 1. A mean of 0 has p = 1."""
    size = np.array([one.seeds * one.units for one in squares], dtype=float)
    seed, df = np.asarray(seed_squares, dtype=float) / size, np.asarray(seed_dfs, dtype=float)
    unit = np.array([one.unit_excess for one in squares]) / size
    unit_df = np.array([one.units - 1 for one in squares], dtype=float)
    means = np.array([one.mean for one in squares])
    target = np.abs(means) * np.sqrt(seed + unit)
    low, high = np.full(len(squares), np.log(_SMALLEST)), np.zeros(len(squares))
    for _ in range(50):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        reaches = -stdtrit(df, tail) * seed - stdtrit(unit_df, tail) * unit >= target
        low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
    found: Floats = np.where(means == 0, 1.0, np.where(seed + unit == 0, _SMALLEST, np.exp(high)))
    return found
