"""How much of the error rate each look at a race may spend.

The power family of Kim & DeMets (1987), α(t) = α t², with t the share of the largest number of seeds. It lies between Pocock's
spending function, which keeps little for the last look, and O'Brien and Fleming's, which cannot stop a row at an eighth of the
seeds however far behind it is: in simulated races it found more with fewer runs than either. Levels of looks add up,
whatever the correlation of looks.
"""

from __future__ import annotations

from collections.abc import Sequence

POWER = 2


def levels(seeds: Sequence[int], level: float) -> list[float]:
    """The level of each look at these numbers of seeds, ascending; their sum is `level`."""
    spent = [level * (count / seeds[-1]) ** POWER for count in seeds]
    return [after - before for before, after in zip([0.0, *spent], spent, strict=False)]
