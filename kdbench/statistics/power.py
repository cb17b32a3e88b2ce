"""How many seeds, or how large a test split, it takes to resolve a difference between two rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from kdbench.contracts import Metric
from kdbench.errors import KdbenchError
from kdbench.records.measured import Measured
from kdbench.statistics.cells import Cell, Units
from kdbench.statistics.comparable import comparable
from kdbench.statistics.crossed import LEVEL, MeanSquares, mean_squares
from kdbench.statistics.pair_tests import difference as subtract

WANTED = 0.8
MOST = 10**7  # a larger number counts as none
QUANTILES = (np.arange(400) + 0.5) / 400  # at which the distribution of a mean square is evaluated


@dataclass(frozen=True)
class Components:
    """Variances of a difference, in the square of the headline's shown unit: between seeds, between test units, and of what is
    left for one seed and unit."""

    seed: float
    unit: float
    residual: float

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
        edges = [-stdtrit(count - 1, LEVEL / 2) if math.isfinite(count) else -ndtri(LEVEL / 2) for count in (seeds, units)]
        half = (edges[0] * by_seed * squares + edges[1] * by_unit) / np.sqrt(by_seed * squares + by_unit)
        deviation = math.sqrt(by_seed + by_unit)
        found = ndtr((difference - half) / deviation) + ndtr((-half - difference) / deviation)
        return float(found.mean())


@dataclass(frozen=True)
class Power:
    """What it takes to find `difference` of the headline with 80 % power at 5 %, testing this pair alone.

    There are `seeds` seeds and `size` of `what` (such as images) in the test split; `now` is the power with these.
    `seeds_needed` at this size and `size_needed` at these seeds are None if no number is enough: no number of seeds has more
    power than `seeds_limit`, no size more than `size_limit`.
    """

    a: str
    b: str
    headline: Metric
    difference: float
    components: Components
    seeds: int
    size: int
    what: str
    now: float
    seeds_needed: int | None
    size_needed: int | None
    seeds_limit: float
    size_limit: float
    notes: list[str]

    def lines(self) -> list[str]:
        """For a terminal."""
        kinds = {
            "seeds": self.components.seed,
            "units of the test split": self.components.unit,
            "residual": self.components.residual,
        }
        spread = ", ".join(f"{name} {math.sqrt(value):.{self.headline.decimals}f}" for name, value in kinds.items())
        enough = f"{WANTED:.0%} power at {LEVEL:.0%}"
        by_seeds = (
            f"{self.seeds_needed} seeds at these {self.size} test {self.what}"
            if self.seeds_needed
            else f"no number of seeds is enough at these {self.size} test {self.what}, whose own variance leaves "
            f"{self.seeds_limit:.0%} power at most"
        )
        by_size = (
            f"{self.size_needed} test {self.what} at these {self.seeds} seeds"
            if self.size_needed
            else f"no number of test {self.what} is enough at these {self.seeds} seeds, whose own variance leaves "
            f"{self.size_limit:.0%} power at most"
        )
        return [
            f"{self.a} against {self.b}, a difference of {self.difference:g} {self.headline.label}, {enough}, this pair alone:",
            f"  now, {self.seeds} seeds and {self.size} {self.what}: {self.now:.0%} power",
            f"  {by_seeds}",
            f"  {by_size}",
            f"  standard deviations of the difference: {spread}",
            *(f"  note: {note}" for note in self.notes),
        ]


def power(a: Sequence[Measured], b: Sequence[Measured], *, difference: float, units: Units | None = None) -> Power:
    """From the variance components of the paired differences of the headline, `difference` in its shown unit.

    Raises KdbenchError if the two share fewer than two seeds (the variance of training is then unknown), do not compare, or
    `difference` is 0 or not finite.
    """
    if a and (not difference or not math.isfinite(difference)):
        label = a[0].task.headline.label
        raise KdbenchError(f"difference: found {difference:g}, expected a number of {label} other than 0, such as 5")
    first, second = comparable(a, b, units)
    headline = a[0].task.headline
    squares, seeds = _squares(first, second, headline.name)
    count = squares.units
    parts = Components(
        seed=max(squares.seed - squares.residual, 0.0) / count,
        unit=max(squares.unit - squares.residual, 0.0) / seeds,
        residual=squares.residual,
    )
    what, size = next(iter(a[0].record.sizes.items()), ("units", count))
    needed = _fewest(lambda units: parts.power(difference, seeds, units))
    notes = [f"the variance between seeds is estimated from {seeds} seeds"] if seeds < 10 else []
    return Power(
        a=first.label,
        b=second.label,
        headline=headline,
        difference=difference,
        components=parts,
        seeds=seeds,
        size=size,
        what=what,
        now=parts.power(difference, seeds, count),
        seeds_needed=_fewest(lambda seeds: parts.power(difference, seeds, count)),
        size_needed=math.ceil(needed * (size / count)) if needed else None,
        seeds_limit=parts.power(difference, math.inf, count),
        size_limit=parts.power(difference, seeds, math.inf),
        notes=[*notes, *([first.contributions.note] if first.contributions.note else [])],
    )


def _squares(a: Cell, b: Cell, metric: str) -> tuple[MeanSquares, int]:
    between = subtract(a.scores(metric), b.scores(metric))
    if len(between.seeds) < 2:
        raise KdbenchError(
            f"{a.label} and {b.label} share {len(between.seeds)} seeds, expected 2 or more: "
            "the variance of training cannot be estimated from fewer"
        )
    return mean_squares(between.values), len(between.seeds)


def _fewest(power_with: Callable[[int], float]) -> int | None:
    """The smallest count from 2 with the wanted power; None if there is none."""
    high = 2
    while power_with(high) < WANTED:
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_with(middle) >= WANTED else (middle, high)
    return high
