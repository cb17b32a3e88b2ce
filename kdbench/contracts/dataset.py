"""What a dataset of image-text pairs is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Split:
    """One split of a dataset. An image and a caption match when they show the same concept.

    Karpathy's protocol is the special case of one concept per image. Splits share no concepts.
    """

    images: Sequence[NDArray[np.uint8]]  # N of [size, size, 3] RGB, decoded when indexed
    captions: Sequence[str]  # M
    image_concepts: NDArray[np.int64]  # [N]
    caption_concepts: NDArray[np.int64]  # [M]
    sources: Sequence[str] = ()  # N if given: the file of each image, or a shard and its member, for messages


class Dataset(Protocol):
    """Images, captions and which belong together. Building it and `split` read indices only; pixels are read on access.

    A dataset with a true attribute `streamed` has PlacedImages in its splits and a method `read_image(file, offset, bytes)`:
    its train split is never copied in decoded form.
    """

    size: int  # pixels; images are square
    licence: str
    fingerprint: str  # changes whenever the source files or the parameters change

    def split(self, name: SplitName) -> Split: ...
