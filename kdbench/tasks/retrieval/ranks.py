"""Embeddings to ranks to R@K, under the Karpathy protocol generalised to concepts.

A query's retrieval rank is that of its best positive: 1 + the number of negatives scored at least as high. Ties therefore count
against the model: one that maps everything to a single point has R@K 0, not 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    if not (np.isfinite(queries).all() and np.isfinite(candidates).all()):
        raise ValueError("embeddings hold values that are not finite")
    result = np.empty(len(queries), dtype=np.int32)
    for start in range(0, len(queries), chunk):
        stop = start + chunk
        # Summed in float64 and rounded: equal candidates then have equal scores at any position. Sums in float32 have another
        # order at the edges of a block, which could break ties at random.
        scores = (queries[start:stop].astype(np.float64) @ candidates.astype(np.float64).T).astype(np.float32)
        result[start:stop] = ranks_from_scores(scores, query_concepts[start:stop], candidate_concepts, start)
    return result


def ranks_from_scores(
    scores: NDArray[Any], query_concepts: Ints, candidate_concepts: Ints, first: int = 0
) -> NDArray[np.int32]:
    """The same from a score matrix [Q, C]; `first` is the index of its first query in error messages."""
    positive = query_concepts[:, None] == candidate_concepts[None, :]
    if not positive.any(axis=1).all():
        orphan = int(np.flatnonzero(~positive.any(axis=1))[0])
        raise ValueError(f"query {first + orphan} (concept {query_concepts[orphan]}) has no matching candidate")
    best = np.where(positive, scores, -np.inf).max(axis=1, keepdims=True)
    better: NDArray[np.int32] = ((scores >= best) & ~positive).sum(axis=1).astype(np.int32)
    return better + np.int32(1)


def recall(ranks: NDArray[Any], k: int) -> float:
    """R@K: the fraction of queries whose rank is at most `k`, 0 to 1."""
    return int(np.count_nonzero(ranks <= k)) / len(ranks)


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
    """Ranks both ways: `text` of texts retrieved by images [N] (i2t), `image` of images retrieved by texts [M] (t2i)."""

    text: NDArray[np.int32]
    image: NDArray[np.int32]

    @classmethod
    def of(cls, images: NDArray[Any], texts: NDArray[Any], image_concepts: Ints, caption_concepts: Ints) -> Ranks:
        """The ranks of embeddings of images [N, d] and captions [M, d]. Raises ValueError as `ranks` does."""
        return cls(
            text=ranks(images, texts, image_concepts, caption_concepts),
            image=ranks(texts, images, caption_concepts, image_concepts),
        )

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranks in the form in which they are stored."""
        return {"text": self.text, "image": self.image}

    def metrics(self, recall_at: Sequence[int]) -> dict[str, float]:
        return retrieval_metrics(self.text, self.image, recall_at)
