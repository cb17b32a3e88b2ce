"""Embeddings of images and prompts to the rank of each image's class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.ranks import ranks

Ints = NDArray[np.int64]


def class_vectors(prompts: NDArray[Any], classes: Ints) -> tuple[NDArray[np.float32], Ints]:
    """The vector of each class, [C, d], and the classes in ascending order, [C].

    It is the normalised mean of the unit embeddings of its `prompts` [M, d], whose classes are `classes` [M], as in
    `open_clip.build_zero_shot_classifier`. Prompts that cancel out give a zero vector.
    """
    known, position = np.unique(classes, return_inverse=True)
    sums = np.zeros((len(known), prompts.shape[1]))
    np.add.at(sums, position, prompts.astype(np.float64))
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(norms > 0, norms, 1.0)).astype(np.float32), known


def classified(
    images: NDArray[Any], prompts: NDArray[Any], image_classes: Ints, prompt_classes: Ints
) -> dict[str, NDArray[np.int32]]:
    """Of each image [N], the `rank` of its class among all, from 1, and the position of its `class` among the sorted classes.

    `images` [N, d] are unit vectors. A rank is 1 + the number of other classes at least as similar: ties count against the
    model. Raises ValueError for embeddings that are not finite and for an image of a class without a prompt.
    """
    vectors, known = class_vectors(prompts, prompt_classes)
    found = ranks(images, vectors, image_classes, known)
    return {"rank": found, "class": np.searchsorted(known, image_classes).astype(np.int32)}


def top(ranks: NDArray[Any], k: int) -> float:
    """The fraction of images whose class is among the K most similar, 0 to 1."""
    return int(np.count_nonzero(ranks <= k)) / len(ranks)


def class_shares(classes: NDArray[Any]) -> NDArray[np.float64]:
    """Of each image [N], N / (C · the number of images of its class): with these factors, a mean over images is one over the
    C classes that have images."""
    _, position, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = len(classes) / (len(sizes) * sizes[position])
    return shares
