"""The mean of a table of seeds × units, both drawn at random and crossed: its interval and its p-value.

x[s, u] = mean + seed_s + unit_u + residual_su (two-way random effects). The variance of the mean is
(MS_seed + MS_unit − MS_residual) / (S·U). MS_seed is uncertain with few seeds while MS_unit, with many units, is not, so t is
the mean of the two quantiles t(S−1) and t(U−1), weighted by MS_seed and max(MS_unit − MS_residual, 0): Cochran's (1964) test.
Satterthwaite's degrees of freedom for the sum cover too little with three seeds, and fail at the levels that a correction for
many pairs needs; for a single 95 % interval of a mean that is not tested they are closer to nominal coverage, where Cochran's
is two percent too wide (tests/benchmarks/test_coverage.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
LEVEL = 0.05
ONE_SEED = "one seed: the variance of training is unknown"
_SMALLEST = 1e-30  # smaller p-values are rounded up to it
_ROUNDING = 1e-12  # of a mean square that is 0, relative to another


@dataclass(frozen=True)
class MeanSquares:
    """Of a table of S seeds by U units, or of many tables. With one seed the mean squares `seed` and `residual` are 0."""

    seeds: int
    units: int
    mean: Any  # a number, or an array of them, as are the following
    seed: Any
    unit: Any
    residual: Any

    @property
    def seed_df(self) -> int:
        """Degrees of freedom of `seed`, at least 1."""
        return max(self.seeds - 1, 1)

    @property
    def unit_df(self) -> int:
        """Degrees of freedom of `unit`."""
        return self.units - 1

    @property
    def unit_excess(self) -> Any:
        """The part of the units' mean square that the seeds' one does not already contain; not negative.

        Where seeds have equal means by chance and units no effect, the residuals' mean square, as for a table whose entries
        are all independent: else a mean of numbers that differ would be certain.
        """
        excess = np.maximum(self.unit - self.residual, 0.0)
        return np.where(self.seed + excess <= _ROUNDING * self.residual, self.residual, excess)


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, its 95 % interval and the p-value of the hypothesis that it is 0."""

    mean: float
    low: float
    high: float
    se: float
    p: float
    seeds: int
    note: str = ""  # what the interval does not account for


def mean_squares(x: Floats) -> MeanSquares:
    """`x` [S, U], or many tables [..., S, U]. Raises ValueError with fewer than two units."""
    mean, by_seed, by_unit, rest = parts(x)
    return squares_of(x.shape[-2], x.shape[-1], mean, _square(by_seed), _square(by_unit), _square(rest))


def parts(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of x [..., S, U] the mean [...], the effects of seeds [..., S] and of units [..., U], and the residuals [..., S·U].

    Each is linear in x: the parts of a difference are differences of parts.
    """
    mean = x.mean(axis=(-2, -1))
    by_seed, by_unit = x.mean(axis=-1) - mean[..., None], x.mean(axis=-2) - mean[..., None]
    rest = x - by_seed[..., :, None]
    rest -= by_unit[..., None, :]
    rest -= mean[..., None, None]
    return mean, by_seed, by_unit, rest.reshape(*x.shape[:-2], -1)


def squares_of(seeds: int, units: int, mean: Any, by_seed: Any, by_unit: Any, rest: Any) -> MeanSquares:
    """From sums of squares of the `parts`. Raises ValueError with fewer than two units."""
    if units < 2:
        raise ValueError(f"{units} units have no spread; expected at least 2")
    unit = seeds * by_unit / (units - 1)
    if seeds == 1:
        return MeanSquares(seeds, units, mean, 0 * by_seed, unit, 0 * rest)
    return MeanSquares(seeds, units, mean, units * by_seed / (seeds - 1), unit, rest / ((seeds - 1) * (units - 1)))


def _square(x: Floats) -> Any:
    return np.einsum("...i,...i->...", x, x)


def estimate(x: Floats, trained: bool = True) -> Estimate:
    """Of the mean of `x` [S, U]: a cell's contributions, or differences of two cells'. Seeds play no part unless `trained`."""
    squares = mean_squares(x)
    return estimated(squares, ONE_SEED if trained and squares.seeds == 1 else "")


def estimated(squares: MeanSquares, note: str = "") -> Estimate:
    """Of the mean of one table with these mean squares."""
    half, mean = float(half_width(squares)), float(squares.mean)
    return Estimate(
        mean=mean,
        low=mean - half,
        high=mean + half,
        se=float(np.sqrt((squares.seed + squares.unit_excess) / (squares.seeds * squares.units))),
        p=float(p_values(squares, squares.seed, squares.seed_df)),
        seeds=squares.seeds,
        note=note,
    )


def half_width(squares: MeanSquares) -> Any:
    """Half the width of each 95 % interval."""
    tail = LEVEL / 2
    quantiles = -stdtrit(squares.seed_df, tail), -stdtrit(squares.unit_df, tail)
    total = squares.seed + squares.unit_excess
    weighted = quantiles[0] * squares.seed + quantiles[1] * squares.unit_excess
    root = np.sqrt(np.where(total > 0, total, 1.0) * squares.seeds * squares.units)
    return weighted / root


def lone_half_width(squares: MeanSquares) -> Any:
    """The same for means that are shown and not tested, by Satterthwaite's degrees of freedom.

    A difference of mean squares may give fewer of them than any of its parts has, which no sum can have: they are bounded.
    """
    total = squares.seed + squares.unit_excess
    unit = np.maximum(squares.unit, squares.unit_excess)
    spread = squares.seed**2 / max(squares.seeds - 1, 1) + unit**2 / (squares.units - 1)
    fewest = min(squares.seeds - 1 or squares.units - 1, squares.units - 1)
    df = np.maximum(np.where(total > 0, total, 1.0) ** 2 / np.where(spread > 0, spread, 1.0), fewest)
    return -stdtrit(df, LEVEL / 2) * np.sqrt(total / (squares.seeds * squares.units))


def p_values(squares: MeanSquares, seed_square: Any, seed_df: Any) -> Floats:
    """The level at which each interval just reaches 0, between 1e-30 and 1. A mean of 0 has p = 1.

    `seed_square` and its degrees of freedom `seed_df`, a number, stand in for the tables' own.
    """
    size, unit_df = squares.seeds * squares.units, squares.unit_df
    means, seed, unit = np.broadcast_arrays(squares.mean, np.divide(seed_square, size), squares.unit_excess / size)
    target = np.abs(means) * np.sqrt(seed + unit)

    def beyond(log_p: Floats) -> Floats:
        """How far an interval at this level extends past 0."""
        # Quantiles of fractional degrees of freedom are dear, and the first levels are common to all tables.
        tails, which = np.unique(np.exp(log_p) / 2, return_inverse=True)
        by_seed, by_unit = (stdtrit(df, tails)[which].reshape(log_p.shape) for df in (seed_df, unit_df))
        return np.asarray(-by_seed * seed - by_unit * unit - target)

    low, high = np.full(means.shape, np.log(_SMALLEST)), np.zeros(means.shape)
    for _ in range(16):
        middle = (low + high) / 2
        reaches = beyond(middle) >= 0
        low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
    # By now the bracket is a thousandth wide, and the curve in it straight to a billionth: interpolate.
    over, under = beyond(low), -beyond(high)
    log_p = low + (high - low) * np.clip(np.divide(over, np.maximum(over + under, _SMALLEST)), 0, 1)
    found: Floats = np.where(means == 0, 1.0, np.where(seed + unit == 0, _SMALLEST, np.exp(log_p)))
    return found
