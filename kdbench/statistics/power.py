"""How many seeds, or how many test images, it takes to resolve a difference of two rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri, stdtrit

from kdbench.errors import KdbenchError
from kdbench.reports.board import Measured
from kdbench.statistics.cells import Cell
from kdbench.statistics.crossed import LEVEL, MeanSquares, mean_squares
from kdbench.statistics.families import Given
from kdbench.statistics.paired import paired
from kdbench.statistics.pairs import difference as subtract

WANTED = 0.8
MOST = 10**7  # beyond, it is none
SHARES = (np.arange(400) + 0.5) / 400  # where the distribution of a mean square is looked at


@dataclass(frozen=True)
class Components:
    """Variances of a difference: between seeds, between units, and what is left for one seed and unit (RSUM, squared)."""

    seed: float
    unit: float
    residual: float

    def power(self, difference: float, seeds: float, units: float) -> float:
        """The chance that the test of `estimate` at 5 % finds a true `difference`; `seeds` and `units` may be infinite.

        The mean and its mean square of seeds are independent; the latter is averaged over, and the units', which many
        units know well, is taken as it is. It grows with both numbers, or all but: with two or three seeds, more units may
        cost a little, as t then rests on seeds alone. Needs two seeds and two units.
        """
        by_seed, by_unit = self.seed / seeds + self.residual / (seeds * units), self.unit / units
        if by_seed + by_unit == 0:
            return 1.0
        half_df = (seeds - 1) / 2
        squares = gammaincinv(half_df, SHARES) / half_df if math.isfinite(seeds) else np.ones(1)  # chi-square's quantiles
        edges = [-stdtrit(count - 1, LEVEL / 2) if math.isfinite(count) else -ndtri(LEVEL / 2) for count in (seeds, units)]
        half = (edges[0] * by_seed * squares + edges[1] * by_unit) / np.sqrt(by_seed * squares + by_unit)
        deviation = math.sqrt(by_seed + by_unit)
        found = ndtr((difference - half) / deviation) + ndtr((-half - difference) / deviation)
        return float(found.mean())


@dataclass(frozen=True)
class Power:
    """What it takes to find `difference` of RSUM with 80 % power at 5 %, one pair tested. None: no number is enough."""

    a: str
    b: str
    difference: float
    components: Components
    seeds: int  # there are
    images: int
    now: float  # power with these
    seeds_needed: int | None  # at these images
    images_needed: int | None  # at these seeds
    seeds_limit: float  # the power that no number of seeds exceeds
    images_limit: float
    notes: list[str]

    def lines(self) -> list[str]:
        """For a terminal."""
        kinds = {
            "seeds": self.components.seed,
            "units of the test split": self.components.unit,
            "the rest": self.components.residual,
        }
        spread = ", ".join(f"{name} {math.sqrt(value):.1f}" for name, value in kinds.items())
        enough = f"{WANTED:.0%} power at {LEVEL:.0%}"
        by_seeds = (
            f"{self.seeds_needed} seeds at these {self.images} test images"
            if self.seeds_needed
            else f"no number of seeds is enough at these {self.images} test images, whose own chance leaves "
            f"{self.seeds_limit:.0%} power at most"
        )
        by_images = (
            f"{self.images_needed} test images at these {self.seeds} seeds"
            if self.images_needed
            else f"no number of test images is enough at these {self.seeds} seeds, whose own chance leaves "
            f"{self.images_limit:.0%} power at most"
        )
        return [
            f"{self.a} against {self.b}, a difference of {self.difference:g} RSUM, {enough}, this pair alone:",
            f"  now, {self.seeds} seeds and {self.images} images: {self.now:.0%} power",
            f"  {by_seeds}",
            f"  {by_images}",
            f"  standard deviations of the difference: {spread}",
            *(f"  note: {note}" for note in self.notes),
        ]


def power(a: Sequence[Measured], b: Sequence[Measured], *, difference: float, units: Given | None = None) -> Power:
    """From the variance components of the paired differences of RSUM.

    Raises KdbenchError where the two share fewer than two seeds (training's chance is then unknown), do not compare, or
    `difference` is 0.
    """
    if not difference or not math.isfinite(difference):
        raise KdbenchError(f"a difference of {difference:g} RSUM asked for, expected one that is not 0, say 5")
    first, second, split = paired(a, b, units)
    squares, seeds = _squares(first, second)
    parts = Components(
        seed=max(squares.seed - squares.residual, 0.0) / split.count,
        unit=max(squares.unit - squares.residual, 0.0) / seeds,
        residual=squares.residual,
    )
    each = len(split.images) / split.count  # images a unit
    images = _fewest(lambda count: parts.power(difference, seeds, count))
    notes = [f"the variance between seeds is estimated from {seeds} seeds"] if seeds < 10 else []
    return Power(
        a=first.label,
        b=second.label,
        difference=difference,
        components=parts,
        seeds=seeds,
        images=len(split.images),
        now=parts.power(difference, seeds, split.count),
        seeds_needed=_fewest(lambda count: parts.power(difference, count, split.count)),
        images_needed=math.ceil(images * each) if images else None,
        seeds_limit=parts.power(difference, math.inf, split.count),
        images_limit=parts.power(difference, seeds, math.inf),
        notes=[*notes, *([split.note] if split.note else [])],
    )


def _squares(a: Cell, b: Cell) -> tuple[MeanSquares, int]:
    between = subtract(a.row(), b.row())
    if len(between.seeds) < 2:
        raise KdbenchError(
            f"{a.label} and {b.label} share {len(between.seeds)} seeds, expected 2 or more: "
            "how much training varies is not known from fewer"
        )
    return mean_squares(between.values), len(between.seeds)


def _fewest(power_with: Callable[[int], float]) -> int | None:
    """A count from 2 with the wanted power, where one less does not have it; None where there is none."""
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
