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


def to_device(values: NDArray[Any], device: str) -> torch.Tensor:
    """A batch of stored values as a tensor; float16 storage becomes float32.

    On a GPU the copy is from pinned memory, and the caller does not wait for it: the GPU still computes the step before.
    """
    tensor = torch.from_numpy(np.array(values))  # a copy: memory maps are read-only
    if device.startswith("cuda"):
        tensor = tensor.pin_memory()
    tensor = tensor.to(device, non_blocking=True)
    return tensor.float() if tensor.is_floating_point() else tensor


@torch.no_grad()
def student_embeddings(
    student: Student, split: EncodedSplit, batch_size: int, device: str, world: World = ALONE
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors of images [N, d] and captions [M, d]; does not change the module's mode.

    In a `world` of several ranks each encodes a part, and all receive the whole. Raises Diverged if they are not finite, and
    PluginError if they are no unit vectors [B, width].
    """
    images, texts = (
        world.gather(
            torch.cat(
                [
                    _embedded(student, method, to_device(values[start : min(start + batch_size, rows.stop)], device))
                    for start in range(rows.start, rows.stop, batch_size)
                ]
            ).to(device if world.size > 1 else "cpu"),
            len(values),
        )
        .cpu()
        .numpy()
        for method, values, rows in (
            ("encode_image", split.images, world.read(len(split.images))),
            ("encode_text", split.texts, world.read(len(split.texts))),
        )
    )
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise Diverged("the student's embeddings are not finite")
    return images, texts


def _embedded(student: Student, method: str, inputs: torch.Tensor) -> torch.Tensor:
    made = getattr(student.module, method)(inputs)
    embeddings = checked_tensor(made, student.module, method, [len(inputs), student.width]).float().cpu()
    checked_norms(embeddings, student.module, method)
    return embeddings
