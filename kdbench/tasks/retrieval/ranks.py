"""Embeddings to ranks to R@K, under the Karpathy protocol generalised to concepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.both_ways import ranks_both_ways
from kdbench.tasks.retrieval.one_way import Ints, all_ranks
from kdbench.tasks.retrieval.positives import map_at_r, r_precision


def recall(ranks: NDArray[Any], k: int) -> float:
    """R@K: the fraction of queries whose rank is at most `k`, 0 to 1."""
    return int(np.count_nonzero(ranks <= k)) / len(ranks)


def log_rank(text_ranks: NDArray[Any], image_ranks: NDArray[Any]) -> float:
    """The mean of ln(rank) over queries, averaged over both directions; 0 if every first candidate is a match."""
    return float(np.log(text_ranks).mean() + np.log(image_ranks).mean()) / 2


def positives_metrics(text_positives: NDArray[Any], image_positives: NDArray[Any]) -> dict[str, float]:
    """mAP@R and R-Precision in both directions (fractions), from the ranks of all positives, [N, P] and [M, P']."""
    sides = {"image": image_positives, "text": text_positives}
    metrics = {f"{target}_retrieval_map@r": float(map_at_r(found).mean()) for target, found in sides.items()}
    return metrics | {f"{target}_retrieval_r_precision": float(r_precision(found).mean()) for target, found in sides.items()}


def retrieval_metrics(text_ranks: NDArray[Any], image_ranks: NDArray[Any], recall_at: Sequence[int]) -> dict[str, float]:
    """R@K in both directions under CLIP_benchmark's names (fractions), RSUM (sum of all R@K in percent), their mean, and
    the mean log-rank.

    `text_ranks` are those of texts retrieved by images (i2t, `text_retrieval_recall@K`), `image_ranks` those of images
    retrieved by texts (t2i, `image_retrieval_recall@K`).
    """
    metrics = {f"image_retrieval_recall@{k}": recall(image_ranks, k) for k in recall_at}
    metrics |= {f"text_retrieval_recall@{k}": recall(text_ranks, k) for k in recall_at}
    total = 100 * sum(metrics.values())
    return metrics | {"rsum": total, "mean_recall": total / len(metrics), "log_rank": log_rank(text_ranks, image_ranks)}


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
        return cls(*ranks_both_ways(images, texts, image_concepts, caption_concepts))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The ranks in the form in which they are stored."""
        found = {"text": self.text, "image": self.image}
        if self.text_positives is not None and self.image_positives is not None:
            found |= {"text_positives": self.text_positives, "image_positives": self.image_positives}
        return found

    def metrics(self, recall_at: Sequence[int]) -> dict[str, float]:
        return retrieval_metrics(self.text, self.image, recall_at)
