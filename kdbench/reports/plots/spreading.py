"""Where points of equal cost are drawn so that they do not hide each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise


def spread_sideways(costs: Sequence[float], step: float) -> list[float]:
    """Offsets for points (costs ascending) that would hide each other: 0 for the first of a cost, then right and left of it.

    A step apart, or less if the next cost is near: no point crosses the middle between two costs.
    """
    distinct = sorted(set(costs))
    gap = min((after - before for before, after in pairwise(distinct)), default=float("inf"))
    offsets: list[float] = []
    for _, group in groupby(costs):
        count = len(list(group))
        width = min(step, 0.45 * gap / max(1, count // 2))
        offsets += [width * ((rank + 1) // 2) * (1 if rank % 2 else -1) if rank else 0.0 for rank in range(count)]
    return offsets
