"""Rows of several arrays as one: nothing is copied until it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.memory_map import take


class SideBySide:
    """Arrays or memory maps [N, …] of the same N, each row flattened, one after another: [N, Σ widths]. Slices are arrays."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, index: slice) -> NDArray[Any]:
        return _joined([part[index] for part in self.parts])

    def rows(self, wanted: NDArray[Any]) -> NDArray[Any]:
        """The rows at some indices [B]."""
        return _joined([take(part, wanted) for part in self.parts])


def _joined(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([part.reshape(len(part), -1) for part in rows], axis=1)
