"""How much of the error rate each look at a race may spend, and what a p-value at one look is worth over all of them.

The power family of Kim & DeMets (1987), α(t) = α t², with t the share of the largest number of seeds. It lies between Pocock's
spending function, which keeps little for the last look, and O'Brien and Fleming's, which cannot stop a row at an eighth of the
seeds however far behind it is: in simulated races it found more with fewer runs than either.

What has been spent up to a look is the probability that a difference of nothing is claimed there or earlier (Lan & DeMets
1983), by the recursion of Armitage, McPherson & Rowe (1969). As looks share their seeds, each may claim at a p-value somewhat
above what it spends. How alike looks are is that of t tests of a pair's own few seeds (`_times`); test units that remain the
same, and a variance from all rows, make looks more alike, and they then claim less often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
POWER = 2
_LEVELS = np.geomspace(1e-10, 1, 41)  # those whose bounds are computed; others are interpolated
_HALVINGS = 50
_PER_DEVIATION = 1.25  # nodes of an integral for each standard deviation of what the next seeds add


def shares(seeds: Sequence[int]) -> Floats:
    """The share of the error rate that each look at these numbers of seeds, ascending, spends; they sum to 1."""
    spent = (np.asarray(seeds) / seeds[-1]) ** POWER
    own: Floats = np.diff(spent, prepend=0.0)
    return own


@dataclass(frozen=True, eq=False)
class Spending:
    """`shares` [L] are what looks spend, `bounds` [L, A] the p-values at which they claim, for each level of `_LEVELS`."""

    shares: Floats
    bounds: Floats

    def overall(self, look: int, p: Floats) -> Floats:
        """The smallest error rate of all looks, at most 1, at which p-values `p` of one of them (from 0) are claims."""
        with np.errstate(divide="ignore"):
            ratio = np.interp(np.log(p), np.log(self.bounds[look]), np.log(_LEVELS / self.bounds[look]))
        found: Floats = np.minimum(p * np.exp(ratio), 1.0)
        return found

    def bound(self, look: int, level: float) -> float:
        """The p-value at which a look (from 0) claims, where all looks together err at `level`."""
        ratio = np.interp(np.log(level), np.log(_LEVELS), np.log(self.bounds[look] / _LEVELS))
        return float(level * np.exp(ratio))


@lru_cache(maxsize=64)
def spending(seeds: tuple[int, ...]) -> Spending:
    """For looks at these numbers of seeds, ascending."""
    own, times = shares(seeds), _times(seeds)
    nodes, weights = np.polynomial.legendre.leggauss(_nodes(times))
    places, mass = np.zeros((len(_LEVELS), 1)), np.ones((len(_LEVELS), 1))  # of the sum that no look has claimed, at time 0
    bounds = []
    for share, time, step in zip(own, times, np.sqrt(np.diff(times, prepend=0.0)), strict=True):
        deviations = _beyond(share * _LEVELS, places, mass, float(np.sqrt(time)), step)
        bounds.append(2 * ndtr(-deviations))
        edges = np.sqrt(time) * deviations[:, None]
        here = nodes * edges
        moved = (here[:, :, None] - places[:, None, :]) / step
        density = (np.exp(-np.square(moved) / 2) * mass[:, None, :]).sum(axis=2) / (np.sqrt(2 * np.pi) * step)
        places, mass = here, density * weights * edges
    return Spending(own, np.array(bounds))


def _times(seeds: Sequence[int]) -> Floats:
    """What looks at these seeds know, of all there will be.

    With a known variance it would grow as the number of seeds n. A t test estimates the variance anew at each look, from n − 1
    differences, so that looks are less alike: with n some races claimed 1.2 times as often as they should. Growing as
    (n − 1)², found by simulation, keeps the level of a single pair (tests/statistics/test_spending.py).
    """
    grown = np.maximum(np.asarray(seeds) - 1, 0.25) ** 2.0
    times: Floats = grown / grown[-1]
    return times


def _nodes(times: Floats) -> int:
    """As many as the narrowest step between looks needs."""
    widest = -2 * float(ndtri(_LEVELS[0] / 2))
    steps = np.sqrt(times[1:] / times[:-1] - 1)
    return int(np.ceil(_PER_DEVIATION * widest / steps.min(initial=1.0)))


def _beyond(spent: Floats, places: Floats, mass: Floats, root: float, step: float) -> Floats:
    """How many standard deviations [A] a sum with these masses [A, N] at `places` exceeds, either way, with probability `spent`
    [A], a `step` later, where `root` is its standard deviation."""
    low: Floats = np.zeros_like(spent)
    high: Floats = -ndtri(spent / 2)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        edge = root * middle[:, None]
        found = (mass * (ndtr((places - edge) / step) + ndtr((-edge - places) / step))).sum(axis=1)
        low, high = np.where(found > spent, middle, low), np.where(found > spent, high, middle)
    return high
