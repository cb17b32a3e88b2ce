"""Test units of forecasting: trajectories, of which a split may have several samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = "samples"  # the name of their units


def trajectories(ids: Sequence[str]) -> NDArray[np.int64]:
    """The number of each sample's trajectory, [n], in order of appearance."""
    import numpy as np

    known = {name: place for place, name in enumerate(dict.fromkeys(ids))}
    return np.array([known[name] for name in ids], dtype=np.int64)


def contributions(values: Mapping[str, NDArray[np.float64]], units: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """What each of U trajectories contributes, [S, U] each, of values [S, n] of samples; the means are those of the values."""
    import numpy as np

    of, count = np.unique(units, return_inverse=True)[1], len(np.unique(units))
    share = count / len(units)
    return {name: np.stack([share * np.bincount(of, row, count) for row in rows]) for name, rows in values.items()}
