"""The mean of a table of cross-validation: S seeds by units that are divided among F folds.

x[s, u] = mean + fold_f + run_sf + unit_u + residual_su for a unit u of fold f (random effects). A fold has its own training
set, its own teachers and its own draws of training (`RunSpec.training_seed`), hence fold and run effects are independent
between folds, and units of different folds are disjoint. The variance of the mean, times S·U, is what is expected of MS_fold,
the mean square between folds. It contains the units' part, S·σ²_unit + σ²_residual, which MS_unit within folds estimates from
many units; only what folds and runs add to it is as uncertain as the F - 1 degrees of freedom between folds are. As for tables
without folds, t is then the mean of the two quantiles, t(F - 1) and t(U - F), weighted by the two parts (Cochran 1964).

The difference of mean squares is often cut off at 0, which leaves out what is there. MS_fold is therefore divided by the median
of chi-square, not by its mean: it is then as often too large as too small. Intervals of five folds cover 93 to 97 %,
those of three 92.5 to 97 %, whatever the shares of the parts are, for one seed or several
(tests/benchmarks/test_fold_coverage.py).

Assumed: folds are exchangeable. Their training sets overlap, so that what is concluded is of datasets like this one, not of
datasets drawn anew (Bengio & Grandvalet 2004: nothing estimates the latter without bias from one cross-validation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from kdbench.statistics.crossed import Estimate, MeanSquares, estimated

Floats = NDArray[np.float64]
ONE_SEED = "one seed: the variance of training is taken from the folds, whose trainings are independent of each other"


@dataclass(frozen=True)
class FoldSquares(MeanSquares):
    """Of a table in folds, or of many. `seed` is what folds and runs add to the units' mean square `unit`; `residual` is 0.

    `between` is the mean square between folds itself, `sizes` are the units of each fold.
    """

    between: Any
    sizes: tuple[int, ...]

    @property
    def seed_df(self) -> int:
        return len(self.sizes) - 1

    @property
    def unit_df(self) -> int:
        return self.units - len(self.sizes)


def fold_squares(x: Floats, sizes: Sequence[int]) -> FoldSquares:
    """`x` [S, U], or many tables [..., S, U]: the units of the first fold come first. Raises ValueError with too few units."""
    mean, by_fold, by_unit = fold_parts(x, sizes)
    squares = [np.einsum("...i,...i->...", part, part) for part in (by_fold, by_unit)]
    return fold_squares_of(x.shape[-2], sizes, mean, *squares)


def fold_parts(x: Floats, sizes: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Of x [..., S, U] the mean [...], effects of folds [..., F], times the root of their units, and of units in folds [...,
    U].

    Each is linear in x: the parts of a difference are differences of parts.
    """
    units = x.mean(axis=-2)
    mean: Floats = units.mean(axis=-1)
    counts, folds = np.asarray(sizes), fold_means(units, sizes)
    return mean, np.sqrt(counts) * (folds - mean[..., None]), units - np.repeat(folds, counts, axis=-1)


def fold_means(x: Floats, sizes: Sequence[int]) -> Floats:
    """Of x [..., U] the mean of each fold, [..., F]."""
    counts = np.asarray(sizes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means: Floats = np.add.reduceat(x, starts, axis=-1) / counts
    return means


def fold_squares_of(seeds: int, sizes: Sequence[int], mean: Any, by_fold: Any, by_unit: Any) -> FoldSquares:
    """From sums of squares of the `fold_parts`. Raises ValueError with one fold, or without units to spare."""
    counts = np.asarray(sizes, dtype=np.float64)
    folds, units = len(counts), int(counts.sum())
    if folds < 2 or units <= folds:
        raise ValueError(f"{units} units in {folds} folds have no spread; expected 2 folds or more, of 2 units or more")
    between, unit = seeds * by_fold / (folds - 1), seeds * by_unit / (units - folds)
    return FoldSquares(
        seeds=seeds,
        units=units,
        mean=mean,
        seed=excess(between, unit, sizes, folds - 1),
        unit=unit,
        residual=0 * unit,
        between=between,
        sizes=tuple(sizes),
    )


def excess(between: Any, unit: Any, sizes: Sequence[int], df: float) -> Any:
    """What folds add to the units' mean square, from a mean square between folds with some degrees of freedom; not negative."""
    return weight_of(sizes) * np.maximum(between / median_of_chi_square(df) - unit, 0.0)


def weight_of(sizes: Sequence[int]) -> float:
    """By how much more a variance between folds weighs in the mean than in the mean square between them; 1 for equal folds."""
    counts = np.asarray(sizes, dtype=np.float64)
    units, squared = counts.sum(), np.square(counts).sum() / counts.sum()
    return float(squared * (len(counts) - 1) / (units - squared))


def median_of_chi_square(df: float) -> float:
    """As a fraction of its mean."""
    return float(2 * gammaincinv(df / 2, 0.5) / df)


def estimate_in_folds(x: Floats, sizes: Sequence[int], trained: bool = True) -> Estimate:
    """Of the mean of `x` [S, U] as `crossed.estimate`."""
    return estimated(fold_squares(x, sizes), ONE_SEED if trained and len(x) == 1 else "")
