"""Embeddings of an exported model, held against those of the student it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.embeddings import EncodedSplit
from kdbench.tasks.retrieval.ranks import Ranks

Floats = NDArray[np.float32]


def both_ways(images: Floats, texts: Floats, split: EncodedSplit) -> Ranks:
    """Ranks of texts retrieved by images and of images retrieved by texts. Raises KdbenchError on values not finite."""
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise KdbenchError("the exported model gives embeddings that are not finite")
    return Ranks.of(images, texts, split.image_concepts, split.caption_concepts)


def agreement(found: Ranks, expected: Ranks) -> dict[str, float]:
    """Share of queries with the same rank, by what is retrieved. Raises KdbenchError where they are not the same queries."""
    if found.text.shape != expected.text.shape or found.image.shape != expected.image.shape:
        raise KdbenchError(
            f"the record ranks {len(expected.text)} images and {len(expected.image)} captions, the dataset has "
            f"{len(found.text)} and {len(found.image)}"
        )
    return {"text": float((found.text == expected.text).mean()), "image": float((found.image == expected.image).mean())}


def furthest(found: tuple[Floats, Floats], expected: tuple[Floats, Floats]) -> float:
    """The largest absolute difference between an entry of two pairs of embeddings."""
    return float(np.max([np.abs(one - other).max() for one, other in zip(found, expected, strict=True)]))
