"""The shortest vector in a capped simplex of gradients: argmin_w ½ wᵀGw, Σw = 1, 0 ≤ w ≤ C, solved exactly.

A primal active-set method for a handful of variables (Nocedal & Wright 2006, §16.5). It starts at equal weights, so ties are
broken towards them. Its steps are exact: no tolerance can make it stop early and return the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Relative to the trace. If teachers agree, many weights are optimal; this ridge selects those nearest to equal, at the price
# of a KKT residual of the same size.
RIDGE = 1e-10
SLACK = 1e-14


def solve(gramian: NDArray[Any], cap: float) -> Floats:
    """Weights [T] for a Gramian [T, T] and a cap C from 1/T to 1; equal weights if the Gramian is zero.

    The Gramian is divided by its trace first: gradients of batch means have entries near 1e-6 and below, which an absolute
    tolerance would treat as zero. Raises ValueError if no weights satisfy the cap or the Gramian is not finite.
    """
    size = len(gramian)
    if cap * size < 1 - 1e-12:
        raise ValueError(f"C = {cap} leaves no weights for {size} teachers; expected at least 1/{size}")
    if not np.isfinite(gramian).all():
        raise ValueError("the Gramian holds values that are not finite")
    weights = np.full(size, 1 / size)
    trace = float(np.trace(gramian))
    if trace <= 0 or cap * size <= 1 + 1e-12:
        return weights
    matrix = np.asarray(gramian, dtype=np.float64) / trace
    matrix = (matrix + matrix.T) / 2
    # Rounding may leave a Gramian of nearly parallel gradients indefinite, by less than its own precision; lift it.
    lift = RIDGE - min(0.0, 2 * float(np.linalg.eigvalsh(matrix)[0]))
    matrix += lift * np.eye(size)
    if np.ptp(matrix @ weights) <= SLACK:
        return weights  # optimal up to rounding, which differs between processors and which the ridge would magnify
    side = np.zeros(size, dtype=np.int8)  # −1 held at 0, +1 held at the cap, 0 free
    for _ in range(50 * size):
        free = np.flatnonzero(side == 0)
        if _move(matrix, weights, side, free, cap):
            continue
        if not _release(matrix, weights, side):
            clipped: Floats = np.clip(weights, 0.0, cap)
            return clipped
    raise ArithmeticError("the active-set method did not end; the Gramian is not positive semidefinite")


def _move(matrix: Floats, weights: Floats, side: NDArray[np.int8], free: NDArray[np.intp], cap: float) -> bool:
    """Moves to the optimum over the free weights. Returns True if a bound stopped the move; one more weight is then held."""
    if len(free) < 2:
        return False
    gradient = matrix @ weights
    system = np.empty((len(free) + 1, len(free) + 1))
    system[:-1, :-1] = matrix[np.ix_(free, free)]
    system[-1], system[:, -1], system[-1, -1] = 1, 1, 0
    step = np.linalg.solve(system, np.append(-gradient[free], 0.0))[:-1]
    step -= step.mean()  # keeps the sum to the last bit
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step < 0, -weights[free] / step, np.where(step > 0, (cap - weights[free]) / step, np.inf))
    nearest = int(np.argmin(room))
    if room[nearest] >= 1:
        weights[free] += step
        return False
    weights[free] += room[nearest] * step
    held = free[nearest]
    side[held] = -1 if step[nearest] < 0 else 1
    weights[held] = 0.0 if step[nearest] < 0 else cap
    return True


def _release(matrix: Floats, weights: Floats, side: NDArray[np.int8]) -> bool:
    """Frees the held weight whose multiplier violates its sign most. Returns False if the weights are optimal."""
    gradient = matrix @ weights
    free = side == 0
    if free.any():
        level = float(gradient[free].mean())
        wrong = np.where(free, 0.0, (gradient - level) * side)  # held at 0 wants a larger gradient, at the cap a smaller
        worst = int(np.argmax(wrong))
        if wrong[worst] <= SLACK:
            return False
        side[worst] = 0
        return True
    high = int(np.argmax(np.where(side > 0, gradient, -np.inf)))
    low = int(np.argmin(np.where(side < 0, gradient, np.inf)))
    if side[high] <= 0 or side[low] >= 0 or gradient[high] - gradient[low] <= SLACK:
        return False
    side[high] = side[low] = 0
    return True
