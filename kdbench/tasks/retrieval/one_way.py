"""Ranks in one direction, from scores summed in float64: slow, and right by definition.

A query's retrieval rank is that of its best positive: 1 + the number of negatives scored at least as high. Ties therefore count
against the model: one that maps everything to a single point has R@K 0, not 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.positives import most_positives, positive_ranks

Ints = NDArray[np.int64]
BLOCK = 1 << 16  # rows looked at together


def ranks(
    queries: NDArray[Any],
    candidates: NDArray[Any],
    query_concepts: Ints,
    candidate_concepts: Ints,
    chunk: int = 1024,
) -> NDArray[np.int32]:
    """Retrieval rank, from 1, of the best positive of each query, [Q].

    `queries` [Q, d] and `candidates` [C, d] are compared by inner product, `chunk` queries at a time. Raises ValueError for
    embeddings that are not finite (a NaN compares false with everything and would rank first) and for a query without a
    positive.
    """
    result = np.empty(len(queries), dtype=np.int32)
    for rows, scores in scores_of(queries, candidates, chunk):
        result[rows] = ranks_from_scores(scores, query_concepts[rows], candidate_concepts, rows.start)
    return result


def all_ranks(
    queries: NDArray[Any],
    candidates: NDArray[Any],
    query_concepts: Ints,
    candidate_concepts: Ints,
    chunk: int = 1024,
) -> NDArray[np.int32]:
    """The ranks of all positives of each query, ascending, [Q, P]; see `positive_ranks`. Raises ValueError as `ranks` does."""
    check_matched(query_concepts, candidate_concepts)
    widest = most_positives(query_concepts, candidate_concepts)
    result = np.empty((len(queries), widest), dtype=np.int32)
    for rows, scores in scores_of(queries, candidates, chunk):
        result[rows] = positive_ranks(scores, query_concepts[rows], candidate_concepts, widest)
    return result


def scores_of(queries: NDArray[Any], candidates: NDArray[Any], chunk: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The queries of each chunk and their score matrix [chunk, C]. Raises ValueError for embeddings that are not finite."""
    check_finite(queries, candidates)
    for start in range(0, len(queries), chunk):
        rows = slice(start, start + chunk)
        yield rows, score_matrix(queries[rows], candidates)


def score_matrix(queries: NDArray[Any], candidates: NDArray[Any]) -> NDArray[np.float32]:
    """Inner products [Q, C], summed in float64 and rounded: equal candidates then have equal scores at any position.

    Sums in float32 have another order at the edges of a block, which could break ties at random.
    """
    scores: NDArray[np.float32] = (queries.astype(np.float64) @ candidates.astype(np.float64).T).astype(np.float32)
    return scores


def check_finite(*embeddings: NDArray[Any]) -> None:
    """Raises ValueError if an embedding holds a value that is not finite."""
    for rows in embeddings:
        if not all(np.isfinite(rows[start : start + BLOCK]).all() for start in range(0, len(rows), BLOCK)):
            raise ValueError("embeddings hold values that are not finite")


def check_matched(query_concepts: Ints, candidate_concepts: Ints) -> None:
    """Raises ValueError for a query without a positive."""
    orphans = np.flatnonzero(~np.isin(query_concepts, candidate_concepts))
    if len(orphans):
        raise _unmatched(int(orphans[0]), query_concepts[orphans[0]])


def _unmatched(query: int, concept: int) -> ValueError:
    return ValueError(f"query {query} (concept {concept}) has no matching candidate")


def ranks_from_scores(
    scores: NDArray[Any], query_concepts: Ints, candidate_concepts: Ints, first: int = 0
) -> NDArray[np.int32]:
    """The same from a score matrix [Q, C]; `first` is the index of its first query in error messages."""
    positive = query_concepts[:, None] == candidate_concepts[None, :]
    if not positive.any(axis=1).all():
        orphan = int(np.flatnonzero(~positive.any(axis=1))[0])
        raise _unmatched(first + orphan, query_concepts[orphan])
    best = np.where(positive, scores, -np.inf).max(axis=1, keepdims=True)
    better: NDArray[np.int32] = ((scores >= best) & ~positive).sum(axis=1).astype(np.int32)
    return better + np.int32(1)
