"""Whether a pair of rows is decided: that one is better, or that they are equivalent; and how many more seeds would decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kdbench.errors import counted
from kdbench.statistics.cells import Scores
from kdbench.statistics.components import components_of
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.looks import Looks, look_once
from kdbench.statistics.pair_tests import difference
from kdbench.statistics.power import fewest

MOST = 1000  # seeds; more count as no number


@dataclass(frozen=True)
class Answer:
    """Whether one row of a pair is significantly `better`, and whether the two are `equivalent` within `margin` (0: none is
    stated). If neither, the pair is undecided, and about `more_seeds` more would decide (`more_seeds` says what else it is)."""

    better: bool
    equivalent: bool
    margin: float
    more_seeds: float | None


def answer(a: Scores, b: Scores, margin: float) -> Answer:
    """That of a pair by itself, on the seeds that it shares."""
    looks = look_once([a, b], margin)
    return Answer(bool(looks.better.any()), bool(looks.alike[0, 1]), margin, more_seeds([a, b], looks, margin))


def more_seeds(rows: Sequence[Scores], looks: Looks, margin: float) -> float | None:
    """The most that a row needs which is neither significantly worse than the best row nor equivalent to it.

    `rows` best first. None if nothing is undecided, or if a pair shares one seed, which does not say what another would add.
    Infinite if for some pair not even a thousand are enough: the spread between test units, and between folds, remains.
    """
    candidates = [index for index in range(len(rows)) if not looks.better[:, index].any()]
    pairs = len(rows) * (len(rows) - 1) // 2
    needed = [
        _needed(rows[candidates[0]], rows[index], margin, LEVEL / pairs)
        for index in candidates[1:]
        if not looks.alike[candidates[0], index]
    ]
    known = [one for one in needed if one is not None]
    return max(known) if known and len(known) == len(needed) else None


def what_would_decide(more_seeds: float | None, ended_at: int | None = None, pairs: int = 1) -> str:
    """More seeds, or after a race of which rows have all seeds, `ended_at`, a new one; a clause on one pair or several."""
    never = f"not even {MOST:,} more seeds would decide{' every pair' if pairs > 1 else ''}, as test units vary, too"
    if ended_at is None:
        if more_seeds is None:
            return "one seed does not tell how many more would decide"
        return never if math.isinf(more_seeds) else f"about {counted(int(more_seeds), 'more seed')} would decide"
    ended = f"the race has ended at {counted(ended_at, 'seed')}; "
    if more_seeds is None:
        return f"{ended}a new race with a larger max_seeds may decide"
    if math.isinf(more_seeds):
        return ended + never
    return f"{ended}a new race with a larger max_seeds, about {ended_at + int(more_seeds):,}, would decide"


def _needed(a: Scores, b: Scores, margin: float, level: float) -> float | None:
    """More seeds of a pair whose difference and variances are taken to be those found: the interval then leaves 0 out, or
    both ends of the margin. None if there are no two seeds to judge by, infinite if no number up to `MOST` is enough."""
    between = difference(a, b)
    seeds = len(between.seeds)
    if seeds < 2:
        return None
    squares = between.squares
    parts, found = components_of(between), abs(float(squares.mean))

    def decided(count: int) -> bool:
        if found > parts.half_width(count, squares.units, level):
            return True
        return found < margin and margin - found > parts.half_width(count, squares.units, 2 * level)

    total = fewest(decided, MOST)
    return math.inf if total is None else max(total - seeds, 1)
