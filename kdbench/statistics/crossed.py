"""The mean of a table of seeds × units, both drawn at random and crossed: its interval and its p-value.

x[s, u] = mean + seed_s + unit_u + residual_su (two-way random effects). The variance of the mean is
(MS_seed + MS_unit − MS_residual) / (S·U). Few seeds make MS_seed uncertain and the many units do not, so t is the mean of the
two quantiles t(S−1) and t(U−1), weighted by the parts MS_seed and max(MS_unit − MS_residual, 0): Cochran's (1964) test.
Satterthwaite's degrees of freedom for the sum hold less than they promise with three seeds, and fail at the levels that a
correction for many pairs asks for; for a single interval at 95 %, of a mean that nothing is tested against, they come nearer to
what they promise, where Cochran's errs to the safe side by two percent (tests/benchmarks/test_coverage.py).
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
    """Of a table of S seeds by U units, or of many. With one seed, units alone remain, and two mean squares are 0."""

    seeds: int
    units: int
    mean: Any  # a number, or an array of them, as are the following
    seed: Any
    unit: Any
    residual: Any

    @property
    def unit_excess(self) -> Any:
        """What units add to the variance that is not already in the seeds' mean square; not negative."""
        return np.maximum(self.unit - self.residual, 0.0)


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
    """`x` [S, U], or many tables [..., S, U]. Raises ValueError with fewer than two units."""
    mean, by_seed, by_unit, rest = parts(x)
    return squares_of(x.shape[-2], x.shape[-1], mean, _square(by_seed), _square(by_unit), _square(rest))


def parts(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of x [..., S, U] its mean [...], what seeds [..., S] and units [..., U] add to it, and the rest [..., S·U].

    Each is linear in x: those of a difference are the differences of these.
    """
    mean = x.mean(axis=(-2, -1))
    by_seed, by_unit = x.mean(axis=-1) - mean[..., None], x.mean(axis=-2) - mean[..., None]
    rest = x - by_seed[..., :, None] - by_unit[..., None, :] - mean[..., None, None]
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
    """Of the mean of `x` [S, U]: metrics of a cell, or differences of two. Not `trained` means that seeds play no part."""
    squares = mean_squares(x)
    half, mean = float(half_width(squares)), float(squares.mean)
    return Estimate(
        mean=mean,
        low=mean - half,
        high=mean + half,
        se=float(np.sqrt((squares.seed + squares.unit_excess) / x.size)),
        p=float(p_values(squares, squares.seed, max(squares.seeds - 1, 1))),
        seeds=squares.seeds,
        note=ONE_SEED if trained and squares.seeds == 1 else "",
    )


def half_width(squares: MeanSquares) -> Any:
    """Half the widths of the 95 % intervals."""
    tail = LEVEL / 2
    quantiles = -stdtrit(max(squares.seeds - 1, 1), tail), -stdtrit(squares.units - 1, tail)
    total = squares.seed + squares.unit_excess
    weighted = quantiles[0] * squares.seed + quantiles[1] * squares.unit_excess
    root = np.sqrt(np.where(total > 0, total, 1.0) * squares.seeds * squares.units)
    return weighted / root


def lone_half_width(squares: MeanSquares) -> Any:
    """The same for means that stand alone, by Satterthwaite's degrees of freedom."""
    total = squares.seed + squares.unit_excess
    spread = squares.seed**2 / max(squares.seeds - 1, 1) + squares.unit**2 / (squares.units - 1)
    df = np.where(total > 0, total, 1.0) ** 2 / np.where(spread > 0, spread, 1.0)
    return -stdtrit(df, LEVEL / 2) * np.sqrt(total / (squares.seeds * squares.units))


def p_values(squares: MeanSquares, seed_square: Any, seed_df: Any) -> Floats:
    """The level at which each interval just reaches 0, between 1e-30 and 1. A mean of 0 has p = 1.

    `seed_square` and its degrees of freedom `seed_df` stand in for the tables' own.
    """
    size, unit_df = squares.seeds * squares.units, squares.units - 1
    means, seed, unit = np.broadcast_arrays(squares.mean, np.divide(seed_square, size), squares.unit_excess / size)
    target = np.abs(means) * np.sqrt(seed + unit)

    def beyond(log_p: Floats) -> Floats:
        """By how much an interval at this level reaches past 0."""
        tail = np.exp(log_p) / 2
        return np.asarray(-stdtrit(seed_df, tail) * seed - stdtrit(unit_df, tail) * unit - target)

    low, high = np.full(means.shape, np.log(_SMALLEST)), np.zeros(means.shape)
    for _ in range(16):
        middle = (low + high) / 2
        reaches = beyond(middle) >= 0
        low, high = np.where(reaches, middle, low), np.where(reaches, high, middle)
    # To a thousandth, where the curve is straight to a billionth.
    over, under = beyond(low), -beyond(high)
    log_p = low + (high - low) * np.clip(np.divide(over, np.maximum(over + under, _SMALLEST)), 0, 1)
    found: Floats = np.where(means == 0, 1.0, np.where(seed + unit == 0, _SMALLEST, np.exp(log_p)))
    return found
