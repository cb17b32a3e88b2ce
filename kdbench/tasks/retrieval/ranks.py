"""Embeddings to ranks to R@K, under the Karpathy protocol generalised to concepts.

A query's retrieval rank is that of its best positive: 1 + the number of negatives scored at least as high. Ties therefore count
against the model: one that maps everything to a single point has R@K 0, not 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.positives import map_at_r, most_positives, positive_ranks, r_precision

Ints = NDArray[np.int64]


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
    orphans = np.flatnonzero(~np.isin(query_concepts, candidate_concepts))
    if len(orphans):
        raise _unmatched(int(orphans[0]), query_concepts[orphans[0]])
    widest = most_positives(query_concepts, candidate_concepts)
    result = np.empty((len(queries), widest), dtype=np.int32)
    for rows, scores in scores_of(queries, candidates, chunk):
        result[rows] = positive_ranks(scores, query_concepts[rows], candidate_concepts, widest)
    return result


def scores_of(queries: NDArray[Any], candidates: NDArray[Any], chunk: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The queries of each chunk and their score matrix [chunk, C]. Raises ValueError for embeddings that are not finite."""
    if not (np.isfinite(queries).all() and np.isfinite(candidates).all()):
        raise ValueError("embeddings hold values that are not finite")
    for start in range(0, len(queries), chunk):
        # Summed in float64 and rounded: equal candidates then have equal scores at any position. Sums in float32 have another
        # order at the edges of a block, which could break ties at random.
        rows = slice(start, start + chunk)
        yield rows, (queries[rows].astype(np.float64) @ candidates.astype(np.float64).T).astype(np.float32)


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


def recall(ranks: NDArray[Any], k: int) -> float:
    """R@K: the fraction of queries whose rank is at most `k`, 0 to 1."""
    return int(np.count_nonzero(ranks <= k)) / len(ranks)


def positives_metrics(text_positives: NDArray[Any], image_positives: NDArray[Any]) -> dict[str, float]:
    """mAP@R and R-Precision in both directions (fractions), from the ranks of all positives, [N, P] and [M, P']."""
    sides = {"image": image_positives, "text": text_positives}
    metrics = {f"{target}_retrieval_map@r": float(map_at_r(found).mean()) for target, found in sides.items()}
    return metrics | {f"{target}_retrieval_r_precision": float(r_precision(found).mean()) for target, found in sides.items()}


def retrieval_metrics(text_ranks: NDArray[Any], image_ranks: NDArray[Any], recall_at: Sequence[int]) -> dict[str, float]:
    """R@K in both directions under CLIP_benchmark's names (fractions), RSUM (sum of all R@K in percent), and their mean.

    `text_ranks` are those of texts retrieved by images (i2t, `text_retrieval_recall@K`), `image_ranks` those of images
    retrieved by texts (t2i, `image_retrieval_recall@K`).
    """
    metrics = {f"image_retrieval_recall@{k}": recall(image_ranks, k) for k in recall_at}
    metrics |= {f"text_retrieval_recall@{k}": recall(text_ranks, k) for k in recall_at}
    total = 100 * sum(metrics.values())
    return metrics | {"rsum": total, "mean_recall": total / len(metrics)}


@dataclass(frozen=True)
class Ranks:
    """Ranks both ways: `text` of texts retrieved by images [N] (i2t), `image` of images retrieved by texts [M] (t2i).

    `text_positives` [N, P] and `image_positives` [M, P'] are those of all positives (see `positive_ranks`), where asked for.
    """

    text: NDArray[np.int32]
    image: NDArray[np.int32]
    text_positives: NDArray[np.int32] | None = None
    image_positives: NDArray[np.int32] | None = None

    @classmethod
    def of(
        cls,
        images: NDArray[Any],
        texts: NDArray[Any],
        image_concepts: Ints,
        caption_concepts: Ints,
        positives: bool = False,
    ) -> Ranks:
        """The ranks of embeddings of images [N, d] and captions [M, d]. Raises ValueError as `ranks` does."""
        if positives:
            text = all_ranks(images, texts, image_concepts, caption_concepts)
            image = all_ranks(texts, images, caption_concepts, image_concepts)
            return cls(text[:, 0], image[:, 0], text, image)
        return cls(
            text=ranks(images, texts, image_concepts, caption_concepts),
            image=ranks(texts, images, caption_concepts, image_concepts),
        )

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranks in the form in which they are stored."""
        found = {"text": self.text, "image": self.image}
        if self.text_positives is not None and self.image_positives is not None:
            found |= {"text_positives": self.text_positives, "image_positives": self.image_positives}
        return found

    def metrics(self, recall_at: Sequence[int]) -> dict[str, float]:
        return retrieval_metrics(self.text, self.image, recall_at)
