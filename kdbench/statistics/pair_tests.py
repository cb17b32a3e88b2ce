"""Tests of every pair of rows, Holm-corrected.

Three seeds estimate a pair's variance over training poorly, and a correction for 190 pairs needs its far tail. All rows of a
table are trained with the same seeds, so the variance is also estimated from all of them: each pair's mean square of seeds is
the larger of its own and the rows' pooled one (the interaction rows × seeds), with the degrees of freedom of the latter,
reduced where rows differ in their variance over seeds (Welch). With two rows this is the pair's own test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.statistics.cells import Scores
from kdbench.statistics.crossed import MeanSquares, p_values, parts, squares_of
from kdbench.statistics.folds import FoldSquares, excess, fold_parts, fold_squares_of
from kdbench.statistics.futility import chance_of_decision

Floats = NDArray[np.float64]
Pool = tuple[float, float] | None  # see `pooled_seeds`


def difference(a: Scores, b: Scores) -> Scores:
    """a − b on the seeds they share, [S, U]; no seeds if they share none. An untrained row fits any seed."""
    if not a.trained and not b.trained:
        return Scores((0,), a.values[:1] - b.values[:1], False, a.folds)
    if not a.trained:
        return Scores(b.seeds, a.values[:1] - b.values, folds=b.folds)
    if not b.trained:
        return Scores(a.seeds, a.values - b.values[:1], folds=a.folds)
    shared = tuple(seed for seed in a.seeds if seed in b.seeds)
    left, right = ([row.seeds.index(seed) for seed in shared] for row in (a, b))
    return Scores(shared, a.values[left] - b.values[right], folds=a.folds)


def shared_seeds(rows: Sequence[Scores]) -> list[int]:
    """The seeds that all rows have, ascending; none of a single row."""
    return sorted(set.intersection(*(set(row.seeds) for row in rows))) if len(rows) > 1 else []


def pooled_seeds(rows: Sequence[Scores]) -> Pool:
    """A pair's mean square of seeds, pooled over all rows, and its degrees of freedom.

    From the rows with two seeds or more, on the seeds that they all share; None if these are fewer than two. In
    cross-validation, see `pooled_folds`.
    """
    if rows and rows[0].folds:
        return pooled_folds(rows)
    several = [row for row in rows if len(row.seeds) > 1]
    shared = shared_seeds(several)
    if len(shared) < 2:
        return None
    means = np.array([[row.values[row.seeds.index(seed)].mean() for seed in shared] for row in several])
    rest = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    spread = np.square(rest).sum(axis=1)  # of each row
    df = (len(several) - 1) * (len(shared) - 1)
    if not spread.any():
        return 0.0, float(df)
    evenness = spread.mean() ** 2 / np.square(spread).mean()  # 1 if all rows vary equally over seeds
    return 2 * several[0].values.shape[1] * float(spread.sum()) / df, max(df * float(evenness), 1.0)


def pooled_folds(rows: Sequence[Scores]) -> Pool:
    """What folds add to a pair's mean square (`folds.excess`), over the number of seeds, pooled over all rows; and its degrees
    of freedom.

    On the seeds that all rows share; None if there is no such seed, or a single row.
    """
    found = pooled_fold_squares(rows)
    return (float(excess(found[0], found[1], rows[0].folds, found[2])), found[2]) if found else None


def pooled_fold_squares(rows: Sequence[Scores]) -> tuple[float, float, float] | None:
    """A pair's mean square between folds and that of units, of means over seeds, from the interactions rows × folds and rows ×
    units; and the former's degrees of freedom. None as `pooled_folds`.
    """
    trained = [row for row in rows if row.trained]
    shared = shared_seeds(trained)
    if not shared:
        return None
    sizes = rows[0].folds
    of_rows = np.array([row.values[[row.seeds.index(seed) for seed in shared]].mean(axis=0) for row in trained])
    _, by_fold, by_unit = fold_parts((of_rows - of_rows.mean(axis=0))[:, None, :], sizes)
    spread = np.square(by_fold).sum(axis=1)
    most = (len(trained) - 1) * (len(sizes) - 1)
    if not spread.any():
        return 0.0, 0.0, float(most)
    unit = 2 * float(np.square(by_unit).sum()) / ((len(trained) - 1) * (sum(sizes) - len(sizes)))
    df = max(most * float(spread.mean() ** 2 / np.square(spread).mean()), 1.0)
    # Those of means over seeds, of which there may be more in a pair: over one seed each.
    return 2 * float(spread.sum()) / most, unit, df


class Pairs:
    """All pairs of rows, in the order of `combinations`: their mean squares, computed once for all tests of them.

    `pool` is the rows' `pooled_seeds`, or the one `known` of more rows if it has more degrees of freedom.
    """

    def __init__(self, rows: Sequence[Scores], known: Pool = None) -> None:
        self.rows = len(rows)
        pool = pooled_seeds(rows)
        self.pool = max(pool, known, key=lambda one: one[1]) if pool and known else pool
        alike = len({(row.seeds, row.trained) for row in rows}) == 1
        # One object for all pairs where rows have the same seeds; else one each, None without common seeds.
        self._squares = (
            [_squares_of_alike(rows)] if alike and len(rows) > 1 else [_squares(*pair) for pair in combinations(rows, 2)]
        )

    def p(self) -> Floats:
        """p-values of the hypotheses that pairs have equal means [P]; NaN without common seeds."""
        return self._tested(_p)

    def equivalence_p(self, margin: float) -> Floats:
        """p-values of the hypotheses that the means of pairs differ by `margin` or more [P]: two one-sided tests (Schuirmann
        1987).

        The larger p-value is that of the nearer end of the margin. It is given as 1 where a difference is beyond the margin,
        and NaN where nothing tells how much training moves it: with one seed, no other rows with more, and no folds.
        """

        def nearer(squares: MeanSquares, pool: Pool) -> Floats:
            if pool is None and squares.seeds == 1 and not isinstance(squares, FoldSquares):
                return np.full(np.shape(squares.mean), np.nan)
            room = margin - np.abs(squares.mean)
            one_sided: Floats = np.where(room > 0, _p(replace(squares, mean=np.maximum(room, 0.0)), pool) / 2, 1.0)
            return one_sided

        return self._tested(nearer)

    def chance(self, margin: float, last: int, level: float) -> Floats:
        """The probability that pairs are decided at `last` seeds and `level` [P]; NaN without common seeds."""
        return self._tested(lambda squares, pool: chance_of_decision(squares, _seed_square(squares, pool), margin, last, level))

    def corrected_p(self) -> Floats:
        """Holm-corrected p-values of all pairs [R, R], symmetric, 1 on the diagonal; NaN for pairs without common seeds."""
        return self._corrected(self.p())

    def corrected_equivalence_p(self, margin: float) -> Floats:
        """The same of `equivalence_p`, 0 on the diagonal."""
        found = self._corrected(self.equivalence_p(margin))
        np.fill_diagonal(found, 0.0)
        return found

    def _tested(self, test: Callable[[MeanSquares, Pool], Floats]) -> Floats:
        found = [np.nan if squares is None else test(squares, self.pool) for squares in self._squares]
        return np.concatenate([np.atleast_1d(p) for p in found]) if found else np.empty(0)

    def _corrected(self, p: Floats) -> Floats:
        tested = np.flatnonzero(~np.isnan(p))
        p[tested] = holm(p[tested])
        found = np.ones((self.rows, self.rows))
        upper = np.triu_indices(self.rows, 1)
        found[upper] = p
        found.T[upper] = p
        return found


def _squares(a: Scores, b: Scores) -> MeanSquares | None:
    between = difference(a, b)
    return between.squares if between.seeds else None


def _squares_of_alike(rows: Sequence[Scores]) -> MeanSquares:
    """Of all pairs, in the order of `combinations`, for rows of the same seeds. The parts of each row are computed once."""
    shown, folds = np.array([row.values for row in rows]), rows[0].folds
    mean, *rest = fold_parts(shown, folds) if folds else parts(shown)
    sums: list[list[Floats]] = [[] for _ in rest]
    for i in range(len(rows)):
        for total, part in zip(sums, rest, strict=True):
            apart = part[i + 1 :] - part[i]
            total.append(np.einsum("ij,ij->i", apart, apart))
    first, second = np.triu_indices(len(rows), 1)
    squares = [np.concatenate(total) for total in sums]
    if folds:
        return fold_squares_of(shown.shape[1], folds, mean[first] - mean[second], *squares)
    return squares_of(shown.shape[1], shown.shape[2], mean[first] - mean[second], *squares)


def _p(squares: MeanSquares, pool: Pool) -> Floats:
    return p_values(squares, _seed_square(squares, pool), squares.seed_df if pool is None else pool[1])


def _seed_square(squares: MeanSquares, pool: Pool) -> Any:
    """The larger of the pairs' own mean square of seeds and the pooled one."""
    if pool is None:
        return squares.seed
    return np.maximum(squares.seed, pool[0] * (squares.seeds if isinstance(squares, FoldSquares) else 1))


def holm(p: Floats) -> Floats:
    """Holm's step-down correction of p-values [P] (1979): a family has a wrong one below .05 with probability 5 % at most."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
