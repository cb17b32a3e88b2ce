"""Whether what a race has left would decide a pair: rows for which it would not are stopped for futility.

The chance is a predictive probability (Spiegelhalter, Freedman & Blackburn 1986, Controlled Clinical Trials 7): that of a
decision at the last look, averaged over the true differences that the seeds so far leave possible. Test units are all there
from the beginning: what they add to the variance does not shrink with seeds, and a pair that is closer is given up early.

A row that stops takes its tests away, which makes no claim more probable by itself. Two things would: if the pairs given up
no longer counted in the correction, or the few rows left were judged by their own variance (`looks` sees to both).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from kdbench.statistics.crossed import MeanSquares

Floats = NDArray[np.float64]
_ROUNDING = 1e-12


def chance_of_decision(squares: MeanSquares, seed_square: Any, margin: float, last: int, level: float) -> Floats:
    """The probability [P] that pairs are significantly different, or equivalent within `margin`, at `last` seeds and `level`.

    `seed_square` stands in for the pairs' own mean square of seeds, as in `crossed.p_values`. In cross-validation what folds
    add is taken to shrink with seeds as runs do, which makes chances too large rather than too small.
    """
    size, share = squares.seeds * squares.units, squares.seeds / last
    by_seed, by_unit = np.divide(seed_square, size), np.divide(squares.unit_excess, size)
    at_last = np.sqrt(by_seed * share + by_unit)
    still_open = np.sqrt(by_seed * (1 - share)) + _ROUNDING
    found = np.abs(squares.mean)
    different = -ndtri(level / 2) * at_last  # a mean beyond it is significant
    equivalent = margin + ndtri(level) * at_last  # one below it is equivalent
    apart = ndtr((found - different) / still_open) + ndtr((-found - different) / still_open)
    alike = ndtr((equivalent - found) / still_open) - ndtr((-equivalent - found) / still_open)
    chances: Floats = np.maximum(apart, np.where(equivalent > 0, alike, 0.0))
    return chances
