"""Ranks of all positives of each query, and what follows from them: mAP@R and R-Precision.

Musgrave et al., "A Metric Learning Reality Check" (ECCV 2020); ECCV Caption (Chun et al., arXiv 2204.03359). R is the number of
a query's positives; both figures are 1 if and only if its first R candidates are its positives. Ties count against the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def most_positives(query_concepts: Ints, candidate_concepts: Ints) -> int:
    """The largest number of positives that a query has."""
    concepts, positives = np.unique(candidate_concepts, return_counts=True)
    return int(positives[np.isin(concepts, query_concepts)].max(initial=0))


def positive_ranks(scores: NDArray[Any], query_concepts: Ints, candidate_concepts: Ints, widest: int) -> NDArray[np.int32]:
    """Ranks from 1 of the positives of each query, ascending, [Q, P]; zeros follow those of a query with fewer than P.

    P is `widest`, at least `most_positives` of these queries.

    The rank of the j-th best positive is j + the number of negatives scored at least as high, so the first column holds the
    ranks of `ranks_from_scores`. `scores` [Q, C] must be finite.
    """
    found = np.zeros((len(scores), widest), dtype=np.int32)
    for row, concept, result in zip(scores, query_concepts, found, strict=True):
        ranks = ranks_among(row, candidate_concepts == concept)
        result[: len(ranks)] = ranks
    return found


def ranks_among(scores: NDArray[Any], positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The ranks of one query's positives, ascending, from its scores [C] and which candidates are positives, [C]."""
    best_first = np.sort(scores[positive])[::-1]
    negatives = np.sort(scores[~positive])
    at_least_as_high = len(negatives) - np.searchsorted(negatives, best_first, side="left")
    found: NDArray[np.int64] = np.arange(1, len(best_first) + 1) + at_least_as_high
    return found


def r_precision(ranks: NDArray[Any]) -> Floats:
    """R-Precision of each query, [..., Q], 0 to 1: the fraction of its R positives among its first R candidates.

    `ranks` [..., Q, P] are those of `positive_ranks`, with at least one positive a query.
    """
    positives = _positives(ranks)
    shares: Floats = _found(ranks, positives).sum(axis=-1) / positives
    return shares


def map_at_r(ranks: NDArray[Any]) -> Floats:
    """mAP@R of each query, [..., Q], 0 to 1: (1/R) Σ_{k ≤ R} P@k · rel_k, from ranks as in `r_precision`."""
    positives = _positives(ranks)
    precision = np.arange(1, ranks.shape[-1] + 1) / np.maximum(ranks, 1)  # P@k at the rank k of the j-th positive is j/k
    means: Floats = np.where(_found(ranks, positives), precision, 0.0).sum(axis=-1) / positives
    return means


def _positives(ranks: NDArray[Any]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.count_nonzero(ranks, axis=-1)
    return found


def _found(ranks: NDArray[Any], positives: NDArray[np.int64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (ranks > 0) & (ranks <= positives[..., None])
    return found
