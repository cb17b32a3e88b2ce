"""Possible ranks and tie groups of rows, from which of them is significantly better than which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Better = NDArray[np.bool_]


def rank_intervals(better: Better) -> list[tuple[int, int]]:
    """The possible ranks of each row. `better` [R, R] says whether row i is significantly better than row j.

    From 1 + the number of rows significantly better, to R − the number of rows significantly worse.
    """
    rows = len(better)
    return [(1 + int(better[:, i].sum()), rows - int(better[i].sum())) for i in range(rows)]


def tie_groups(better: Better) -> list[int]:
    """The group of each row, from 1; rows best first.

    A group is the best row that is in no earlier one, with all rows after it in no earlier one that it is not significantly
    better than. Rows of one group tie with its first row, not necessarily with each other.
    """
    groups = [0] * len(better)
    group = 0
    for first in range(len(better)):
        if groups[first]:
            continue
        group += 1
        for row in range(first, len(better)):
            if not groups[row] and not better[first, row]:
                groups[row] = group
    return groups


def bold_rows(better: Better, groups: list[int]) -> list[bool]:
    """Whether a row is of the first group, all rows of which are significantly better than all of the next one.

    No row is bold if there is no next group.
    """
    top, following = ([i for i, group in enumerate(groups) if group == wanted] for wanted in (1, 2))
    clear = bool(following) and all(better[i, j] for i in top for j in following)
    return [clear and group == 1 for group in groups]
