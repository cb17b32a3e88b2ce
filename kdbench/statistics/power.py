"""How many seeds, or how large a test split, it takes to resolve a difference between two rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdbench.contracts import Metric, Task
from kdbench.errors import KdbenchError, counted, nearest
from kdbench.records.measured import Measured
from kdbench.statistics.cells import Cell, Scores
from kdbench.statistics.comparable import comparable
from kdbench.statistics.components import WANTED, Components, components_of
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.pair_tests import difference as subtract
from kdbench.statistics.splits import SplitUnits, total_sizes

MOST = 10**7  # a larger number counts as none


@dataclass(frozen=True)
class Power:
    """What it takes to find `difference` of a metric with 80 % power at 5 %, testing this pair alone.

    There are `seeds` seeds and `size` of `what` (such as images) in the test split; `now` is the power with these.
    `seeds_needed` at this size and `size_needed` at these seeds are None if no number is enough: no number of seeds has more
    power than `seeds_limit`, no size more than `size_limit`.
    """

    a: str
    b: str
    metric: Metric
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
    folds: int = 0

    def lines(self) -> list[str]:
        """For a terminal."""
        kinds = self.components.kinds.items()
        spread = ", ".join(f"{name} {math.sqrt(value):.{self.metric.decimals}f}" for name, value in kinds)
        seeds = f"{self.seeds} seeds" + (f" × {self.folds} folds" if self.folds else "")
        enough = f"{WANTED:.0%} power at {LEVEL:.0%}"
        by_seeds = (
            f"{self.seeds_needed:,} seeds at these {self.size:,} test {self.what}"
            if self.seeds_needed
            else f"no number of seeds is enough at these {self.size:,} test {self.what}, whose own variance leaves "
            f"{self.seeds_limit:.0%} power at most"
        )
        by_size = (
            f"{self.size_needed:,} test {self.what} at these {self.seeds} seeds"
            if self.size_needed
            else f"no number of test {self.what} is enough at these {self.seeds} seeds, whose own variance leaves "
            f"{self.size_limit:.0%} power at most"
        )
        return [
            f"{self.a} against {self.b}, a difference of {self.difference:g} {self.metric.label}, {enough}, this pair alone:",
            f"  now: {self.now:.0%} power, with {seeds} and {self.size:,} test {self.what}",
            f"  {WANTED:.0%} by seeds: {by_seeds}",
            f"  {WANTED:.0%} by {self.what}: {by_size}",
            f"  standard deviations of the difference: {spread}",
            *(f"  note: {note}" for note in self.notes),
        ]


def power(
    a: Sequence[Measured],
    b: Sequence[Measured],
    *,
    difference: float,
    units: SplitUnits = None,
    metric: str = "",
    names: tuple[str, str] | None = None,
) -> Power:
    """From the variance components of the paired differences of a metric, by default the headline; `difference` as shown;
    `names` are what sentences call the two rows, by default the labels of their runs.

    Raises KdbenchError if the two share fewer than two seeds (the variance of training is then unknown), do not compare, or
    `difference` is 0 or not finite, or their task has no such metric.
    """
    first, second = comparable(a, b, units)
    one = _metric(a[0].task, metric)
    if not difference or not math.isfinite(difference):
        raise KdbenchError(f"difference: found {difference:g}, expected a number of {one.label} other than 0, such as 5")
    called = names or (first.label, second.label)
    between = _between(first, second, one.name, called)
    seeds, count = between.values.shape
    parts = components_of(between)
    what, size = next(iter(total_sizes(a).items()), ("units", count))
    needed = fewest(lambda units: parts.power(difference, seeds, units) >= WANTED)
    notes = [f"the variance between seeds is estimated from {seeds} seeds"] if seeds < 10 else []
    if first.folds:
        notes = [f"what training adds is estimated from {len(first.folds)} folds of {seeds} seeds"]
    return Power(
        a=called[0],
        b=called[1],
        metric=one,
        difference=difference,
        components=parts,
        seeds=seeds,
        size=size,
        what=what,
        now=parts.power(difference, seeds, count),
        seeds_needed=fewest(lambda seeds: parts.power(difference, seeds, count) >= WANTED),
        size_needed=math.ceil(needed * (size / count)) if needed else None,
        seeds_limit=parts.power(difference, math.inf, count),
        size_limit=parts.power(difference, seeds, math.inf),
        notes=[*notes, *([first.contributions.note] if first.contributions.note else [])],
        folds=len(first.folds),
    )


def _metric(task: Task, name: str) -> Metric:
    known = {metric.name: metric for metric in task.metrics}
    if name and name not in known:
        raise KdbenchError(f"metric: found {name!r}; {nearest(name, known)}")
    return known[name] if name else task.headline


def _between(a: Cell, b: Cell, metric: str, names: tuple[str, str]) -> Scores:
    between = subtract(a.scores(metric), b.scores(metric))
    if len(between.seeds) < 2:
        raise KdbenchError(
            f"{names[0]} and {names[1]} share {counted(len(between.seeds), 'seed')}, expected 2 or more: "
            "the variance of training cannot be estimated from fewer"
        )
    return between


def fewest(enough: Callable[[int], bool], most: int = MOST) -> int | None:
    """The smallest count from 2 that is enough, where every larger one is, too; None if none up to `most` is."""
    low, high = 1, 2
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
