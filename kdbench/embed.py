"""A student's embeddings of an encoded split, and the ranks they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kdbench.contracts import SplitName, Student
from kdbench.dataset import CachedDataset
from kdbench.errors import Diverged
from kdbench.ranks import Ranks


@dataclass(frozen=True)
class EncodedSplit:
    """A split as a student's towers read it."""

    images: NDArray[Any]  # [N, ...]
    texts: NDArray[Any]  # [M, ...]
    image_concepts: NDArray[np.int64]
    caption_concepts: NDArray[np.int64]


def encode_split(dataset: CachedDataset, student: Student, name: SplitName) -> EncodedSplit:
    split = dataset.split(name)
    return EncodedSplit(
        images=dataset.encode(student.images, name),
        texts=dataset.encode(student.texts, name),
        image_concepts=split.image_concepts,
        caption_concepts=split.caption_concepts,
    )


def to_device(values: NDArray[Any], device: str) -> torch.Tensor:
    """A batch of stored values as a tensor; float16 storage becomes float32."""
    tensor = torch.from_numpy(np.array(values)).to(device)  # a copy: memory maps are read-only
    return tensor.float() if tensor.is_floating_point() else tensor


def rank_split(student: Student, split: EncodedSplit, batch_size: int, device: str) -> Ranks:
    """Embeds the split in eval mode and ranks it both ways."""
    module = cast(nn.Module, student.module)
    was_training = module.training
    module.eval()
    images, texts = student_embeddings(student, split, batch_size, device)
    module.train(was_training)
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise Diverged("the student's embeddings are not finite")
    return Ranks.of(images, texts, split.image_concepts, split.caption_concepts)


@torch.no_grad()
def student_embeddings(
    student: Student, split: EncodedSplit, batch_size: int, device: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors of images [N, d] and captions [M, d], by the module in the mode that it is in."""
    images, texts = (
        np.concatenate(
            [
                encode(to_device(values[start : start + batch_size], device)).float().cpu().numpy()
                for start in range(0, len(values), batch_size)
            ]
        )
        for encode, values in (
            (student.module.encode_image, split.images),
            (student.module.encode_text, split.texts),
        )
    )
    return images, texts
