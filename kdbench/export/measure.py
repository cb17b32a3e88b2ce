"""Embeddings of an exported model, held against those of the student it was."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.contracts import Student
from kdbench.embed import EncodedSplit, to_device
from kdbench.errors import KdbenchError
from kdbench.ranks import Ranks, ranks

Floats = NDArray[np.float32]


@torch.no_grad()
def student_embeddings(student: Student, split: EncodedSplit, batch_size: int) -> tuple[Floats, Floats]:
    """Unit vectors of images [N, d] and captions [M, d] by torch on the CPU; the module is in eval mode already."""
    images, texts = (
        np.concatenate(
            [encode(to_device(values[i : i + batch_size], "cpu")).float().numpy() for i in range(0, len(values), batch_size)]
        )
        for encode, values in ((student.module.encode_image, split.images), (student.module.encode_text, split.texts))
    )
    return images, texts


def both_ways(images: Floats, texts: Floats, split: EncodedSplit) -> Ranks:
    """Ranks of texts retrieved by images and of images retrieved by texts. Raises KdbenchError on values not finite."""
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise KdbenchError("the exported model gives embeddings that are not finite")
    return Ranks(
        text=ranks(images, texts, split.image_concepts, split.caption_concepts),
        image=ranks(texts, images, split.caption_concepts, split.image_concepts),
    )


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
