"""A student's embeddings of an encoded split, and the ranks they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.contracts import SplitName, Student, World
from kdbench.contracts.border import checked_tensor
from kdbench.data.dataset import CachedDataset
from kdbench.data.on_device import on_device
from kdbench.errors import Diverged
from kdbench.tasks.retrieval.borders import checked_norms
from kdbench.tasks.retrieval.cut_captions import warn_of_cuts
from kdbench.training.distributed import ALONE


@dataclass(frozen=True)
class EncodedSplit:
    """An encoded split: the inputs of a student's towers."""

    images: Any  # an array [N, ...]; for a train split possibly StreamedInputs
    texts: Any  # [M, ...]
    image_concepts: NDArray[np.int64]
    caption_concepts: NDArray[np.int64]
    views: int = 0  # K, if `images` has a row for each of K views of N images: row v·N + i of view v of image i
    text_views: bool = False  # whether `texts` has one for each of the views of M captions, likewise
    image_ids: Sequence[str] = ()  # N, if the dataset has ids
    caption_ids: Sequence[str] = ()  # M, likewise
    caption_weights: Sequence[float] | NDArray[np.float64] = ()  # M, if the dataset has weights


def encode_split(dataset: CachedDataset, student: Student, name: SplitName) -> EncodedSplit:
    split = dataset.split(name)
    warn_of_cuts(dataset, student.texts, name)
    return EncodedSplit(
        images=dataset.inputs(student.images, name),
        texts=dataset.inputs(student.texts, name),
        image_concepts=split.image_concepts,
        caption_concepts=split.caption_concepts,
        image_ids=split.image_ids,
        caption_ids=split.caption_ids,
        caption_weights=split.caption_weights,
        views=dataset.views.count if dataset.views is not None and name == "train" else 0,
        text_views=dataset.view_captions is not None and name == "train",
    )


@torch.no_grad()
def student_embeddings(
    student: Student, split: EncodedSplit, batch_size: int, device: str, world: World = ALONE
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors of images [N, d] and captions [M, d]; does not change the module's mode.

    In a `world` of several ranks each encodes a part, and all receive the whole. Raises Diverged if they are not finite, and
    PluginError if they are no unit vectors [B, width].
    """
    images, texts = (
        _of_tower(student, method, values, batch_size, device, world)
        for method, values in (("encode_image", split.images), ("encode_text", split.texts))
    )
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise Diverged("the student's embeddings are not finite")
    return images, texts


def _of_tower(student: Student, method: str, values: Any, batch_size: int, device: str, world: World) -> NDArray[np.float32]:
    """Read once, at the end: while a GPU computes, this process prepares the next batch."""
    own = world.read(len(values))
    made = []
    for start in range(own.start, own.stop, batch_size):
        inputs = on_device(values[start : min(start + batch_size, own.stop)], device)
        embedded = getattr(student.module, method)(inputs)
        made.append(checked_tensor(embedded, student.module, method, [len(inputs), student.width]).float())
    embeddings = world.gather(torch.cat(made), len(values)).cpu()
    checked_norms(embeddings, student.module, method)
    found: NDArray[np.float32] = embeddings.numpy()
    return found
