"""The test split that the rows of a table share: its sizes and units, and in cross-validation those of each fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kdbench.records.measured import Measured

T = TypeVar("T")
Units = Mapping[str, NDArray[np.int64]]  # the test unit of each query, by array name; see `Task.units`
UnitsByDigest = Mapping[str, Units]  # of each test split, by `Record.split_digest`


class ByFold(dict[int, T]):
    """Of each fold, by its index."""


Sizes = Mapping[str, int] | ByFold[Mapping[str, int]]
SplitUnits = Units | ByFold[Units] | None


def split_of(runs: Iterable[Measured], units: UnitsByDigest) -> tuple[Sizes, SplitUnits]:
    """The sizes and units of the test split of runs of one protocol; None if no units of it are known."""
    sizes, its = ByFold[Mapping[str, int]](), ByFold[Units]()
    for run in runs:
        record = run.record
        found = units.get(record.split_digest)
        if record.spec.fold is None:
            return record.sizes, found
        sizes.setdefault(record.spec.fold.index, record.sizes)
        its |= {record.spec.fold.index: found} if found is not None else {}
    return sizes, its


def total_sizes(runs: Iterable[Measured]) -> dict[str, int]:
    """The sizes of the test split of runs of one protocol; in cross-validation those of all folds together."""
    sizes, _ = split_of(runs, {})
    if not isinstance(sizes, ByFold):
        return dict(sizes)
    return {name: sum(of_fold.get(name, 0) for of_fold in sizes.values()) for name in next(iter(sizes.values()), {})}
