"""Wraps the embeddings of an exported model as a student that the retrieval task can evaluate."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench import StudentModule
from kdbench.tasks.retrieval.embeddings import EncodedSplit

Embeddings = tuple[NDArray[np.float32], NDArray[np.float32]]  # of images [N, d] and captions [M, d]


class AsGiven(nn.Module):
    """A student's module whose inputs are already embeddings."""

    def __init__(self, logit_scale: Tensor) -> None:
        super().__init__()
        self.logit_scale = logit_scale

    def encode_image(self, images: Tensor) -> Tensor:
        return images

    def encode_text(self, texts: Tensor) -> Tensor:
        return texts


class Embedded:
    """A student that stands for an exported model and returns the embeddings computed with it."""

    def __init__(self, student: Any, embeddings: Embeddings) -> None:
        self.width = int(embeddings[0].shape[1])
        self.images, self.texts = student.images, student.texts
        self.module = cast(StudentModule, AsGiven(student.module.logit_scale.detach()))


def encoded_as(embeddings: Embeddings, split: EncodedSplit) -> EncodedSplit:
    """The encoded split with embeddings in place of the student's inputs."""
    return EncodedSplit(*embeddings, split.image_concepts, split.caption_concepts)


def furthest(found: Embeddings, expected: Embeddings) -> float:
    """The largest absolute difference between two pairs of embeddings; NaN if any entry is NaN."""
    return float(np.max([np.abs(one - other).max() for one, other in zip(found, expected, strict=True)]))
