"""Embeddings of images and prompts to the rank of each image's class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.one_way import ranks

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


def first_alike(texts: Sequence[str], classes: Ints) -> Ints:
    """The position of the first class with the same prompts, [C], of each class in ascending order: mostly its own.

    `texts` [M] are the prompts, whose classes are `classes` [M]. Of ImageNet's 1,000 names, two stand for two classes each.
    """
    known, position = np.unique(classes, return_inverse=True)
    prompts: list[list[str]] = [[] for _ in known]
    for text, place in zip(texts, position.tolist(), strict=True):
        prompts[place].append(text)
    first: dict[tuple[str, ...], int] = {}
    return np.array([first.setdefault(tuple(own), place) for place, own in enumerate(prompts)], dtype=np.int64)


def classified(
    images: NDArray[Any], prompts: NDArray[Any], image_classes: Ints, prompt_classes: Ints, alike: Ints | None = None
) -> dict[str, NDArray[np.int32]]:
    """Of each image [N], the `rank` of its class among all, from 1, and the position of its `class` among the sorted classes.

    `images` [N, d] are unit vectors. A rank is 1 + the number of other classes at least as similar: ties count against the
    model. Only of classes with the same prompts (`alike`, as `first_alike` returns it), which no model tells apart, the first
    comes first, as it does in an argmax over open_clip's class vectors. Raises ValueError for embeddings that are not finite
    and for an image of a class without a prompt.
    """
    vectors, known = class_vectors(prompts, prompt_classes)
    alike = np.arange(len(known)) if alike is None else alike
    later = np.array([np.count_nonzero(alike[place + 1 :] == first) for place, first in enumerate(alike)], dtype=np.int32)
    ties = ranks(images, vectors[alike], image_classes, known)  # vectors of the same prompts differ by rounding
    of = np.searchsorted(known, image_classes)
    return {"rank": ties - later[of], "class": of.astype(np.int32)}


def top(ranks: NDArray[Any], k: int) -> float:
    """The fraction of images whose class is among the K most similar, 0 to 1."""
    return int(np.count_nonzero(ranks <= k)) / len(ranks)


def class_shares(classes: NDArray[Any]) -> NDArray[np.float64]:
    """Of each image [N], N / (C · the number of images of its class): with these factors, a mean over images is one over the
    C classes that have images."""
    _, position, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = len(classes) / (len(sizes) * sizes[position])
    return shares
