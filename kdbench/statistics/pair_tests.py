"""Tests of every pair of rows, Holm-corrected.

Three seeds estimate a pair's variance over training poorly, and a correction for 190 pairs needs its far tail. All rows of a
table are trained with the same seeds, so the variance is also estimated from all of them: each pair's mean square of seeds is
the larger of its own and the rows' pooled one (the interaction rows × seeds), with the degrees of freedom of the latter,
reduced where rows differ in their variance over seeds (Welch). With two rows this is the pair's own test.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import MeanSquares, mean_squares, p_values, parts, squares_of

Floats = NDArray[np.float64]


def difference(a: Scores, b: Scores) -> Scores:
    """a − b on the seeds they share, [S, U]; no seeds if they share none. An untrained row fits any seed."""
    if not a.trained and not b.trained:
        return Scores((0,), a.values[:1] - b.values[:1], trained=False)
    if not a.trained:
        return Scores(b.seeds, a.values[:1] - b.values)
    if not b.trained:
        return Scores(a.seeds, a.values - b.values[:1])
    shared = tuple(seed for seed in a.seeds if seed in b.seeds)
    left, right = ([row.seeds.index(seed) for seed in shared] for row in (a, b))
    return Scores(shared, a.values[left] - b.values[right])


def pooled_seeds(rows: Sequence[Scores]) -> tuple[float, float] | None:
    """A pair's mean square of seeds, pooled over all rows, and its degrees of freedom.

    From the rows with two seeds or more, on the seeds that they all share; None if these are fewer than two.
    """
    several = [row for row in rows if len(row.seeds) > 1]
    shared = set.intersection(*(set(row.seeds) for row in several)) if len(several) > 1 else set()
    if len(shared) < 2:
        return None
    means = np.array([[row.values[row.seeds.index(seed)].mean() for seed in sorted(shared)] for row in several])
    rest = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    spread = np.square(rest).sum(axis=1)  # of each row
    df = (len(several) - 1) * (len(shared) - 1)
    if not spread.any():
        return 0.0, float(df)
    evenness = spread.mean() ** 2 / np.square(spread).mean()  # 1 if all rows vary equally over seeds
    return 2 * several[0].values.shape[1] * float(spread.sum()) / df, max(df * float(evenness), 1.0)


def corrected_p(rows: Sequence[Scores]) -> Floats:
    """Holm-corrected p-values of all pairs [R, R], symmetric, 1 on the diagonal; NaN for pairs without common seeds."""
    pool = pooled_seeds(rows)
    alike = len({(row.seeds, row.trained) for row in rows}) == 1
    p = (_p_of_alike if alike else _p_of_each)(rows, pool)
    tested = np.flatnonzero(~np.isnan(p))
    p[tested] = holm(p[tested])
    found = np.ones((len(rows), len(rows)))
    upper = np.triu_indices(len(rows), 1)
    found[upper] = p
    found.T[upper] = p
    return found


def _p_of_alike(rows: Sequence[Scores], pool: tuple[float, float] | None) -> Floats:
    """Of all pairs, in the order of `combinations`, for rows of the same seeds. The parts of each row are computed once."""
    shown = np.array([row.values for row in rows])
    mean, *rest = parts(shown)
    sums: list[list[Floats]] = [[], [], []]
    for i in range(len(rows)):
        for total, part in zip(sums, rest, strict=True):
            apart = part[i + 1 :] - part[i]
            total.append(np.einsum("ij,ij->i", apart, apart))
    first, second = np.triu_indices(len(rows), 1)
    by_seed, by_unit, left = (np.concatenate(total) for total in sums)
    squares = squares_of(shown.shape[1], shown.shape[2], mean[first] - mean[second], by_seed, by_unit, left)
    return _p(squares, pool)


def _p_of_each(rows: Sequence[Scores], pool: tuple[float, float] | None) -> Floats:
    """The same for any rows, pair by pair; NaN for pairs without common seeds."""
    found = []
    for a, b in combinations(rows, 2):
        between = difference(a, b)
        found.append(float(_p(mean_squares(between.values), pool)) if between.seeds else np.nan)
    return np.array(found)


def _p(squares: MeanSquares, pool: tuple[float, float] | None) -> Floats:
    if pool is None or squares.seeds == 1:
        return p_values(squares, squares.seed, max(squares.seeds - 1, 1))
    return p_values(squares, np.maximum(squares.seed, pool[0]), pool[1])


def holm(p: Floats) -> Floats:
    """Holm's step-down correction of p-values [P] (1979): a family has a wrong one below .05 with probability 5 % at most."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
