"""Whether a pair of rows is decided: that one is better, or that they are equivalent; and how many more seeds would decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import counted
from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.looks import Looks, look_once
from kdbench.statistics.pair_tests import difference
from kdbench.statistics.power import fewest
from kdbench.statistics.projection import Projection

Flags = NDArray[np.bool_]
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
    """How many more each row needs, until all are significantly worse than the best one, or equivalent to it: by the tests of
    `looks`, with the means and variances found so far.

    `rows` best first. None if nothing is undecided, or if a pair shares one seed, which does not say what another would add.
    Infinite if not even a thousand are enough, or nothing was trained. After a race, how many more a new one needs than it had.
    """
    candidates = [index for index in range(len(rows)) if not looks.better[:, index].any()]
    undecided = [index for index in candidates[1:] if not looks.alike[candidates[0], index]]
    betweens = [difference(rows[candidates[0]], rows[index]) for index in undecided]
    if any(not between.trained for between in betweens):
        return math.inf
    if not betweens or min(len(between.seeds) for between in betweens) < 2:
        return None
    # A race goes on with rows that are not worse.
    tested = candidates if looks.seeds else list(range(len(rows)))
    projected = Projection(betweens, [rows[index] for index in tested])
    missing = looks.seeds[-1] - projected.seeds if looks.ended else 0
    decisions = looks.better | looks.better.T, looks.alike
    others = [int(np.triu(~flags[np.ix_(tested, tested)], 1).sum()) - len(betweens) for flags in decisions]
    found = np.abs(projected.means)

    def decided(more: int) -> bool:
        differ = _holm(lambda level: found > projected.half_widths(more + missing, level), len(found), others[0])
        alike = _holm(lambda level: margin - found > projected.half_widths(more + missing, 2 * level), len(found), others[1])
        return bool((differ | alike).all())

    needed = 1 if decided(1) else fewest(decided, MOST)
    return math.inf if needed is None else needed


def _holm(passes: Callable[[float], Flags], pairs: int, others: int) -> Flags:
    """Which of so many `pairs` pass at the levels that Holm's correction leaves them, beside `others` that do not."""
    passed = np.zeros(pairs, dtype=bool)
    while not passed.all():
        fresh = passed | passes(LEVEL / (others + pairs - int(passed.sum())))
        if (fresh == passed).all():
            break
        passed = fresh
    return passed


def what_would_decide(more_seeds: float | None, ended_at: int | None = None, pairs: int = 1) -> str:
    """More seeds, or after a race of which rows have all seeds, `ended_at`, a new one; a clause on one pair or several."""
    what = "decide every pair" if pairs > 1 else "decide"
    if ended_at is None:
        if more_seeds is None:
            return "one seed does not tell how many more would decide"
        if math.isinf(more_seeds):
            return f"by these figures, not even {MOST:,} more seeds would {what}"
        return f"about {counted(int(more_seeds), 'more seed')} would decide"
    ended = f"the race has ended at {counted(ended_at, 'seed')}; "
    if more_seeds is None:
        return f"{ended}a new race with a larger max_seeds may decide"
    if math.isinf(more_seeds):
        return f"{ended}by these figures, not even one with {MOST:,} more would {what}"
    return f"{ended}a new race with a larger max_seeds, about {ended_at + int(more_seeds):,}, would decide"
