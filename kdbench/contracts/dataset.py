"""Datasets of image-text pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Split:
    """One split of a dataset: N images, M captions. An image and a caption match if they belong to the same concept.

    Karpathy's protocol is the special case of one concept per image. No concept is in two splits.
    """

    images: Sequence[NDArray[np.uint8]]  # N of [size, size, 3] RGB, decoded when indexed
    captions: Sequence[str]  # M
    image_concepts: NDArray[np.int64]  # [N]
    caption_concepts: NDArray[np.int64]  # [M]
    sources: Sequence[str] = ()  # N if given: the file of each image, or a shard and its member, for messages
    # N if the dataset has picture files: uint8 [H, W, 3] RGB, upright, before any resizing; decoded when indexed, by threads.
    originals: Sequence[NDArray[np.uint8]] = ()
    square: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None  # images[i] of originals[i]: saves decoding twice
    # N and M if given, each once in a split and the same wherever the dataset lies: by them embeddings in files are found.
    image_ids: Sequence[str] = ()
    caption_ids: Sequence[str] = ()
    # M if given, not negative: how often a caption is drawn for training, relative to the others of its concept.
    caption_weights: Sequence[float] | NDArray[np.float64] = ()
    # Concepts that must stay in one split, such as variants of one thing, by the name of their group; others stand alone. Used
    # where splits are dealt anew (`folds:` in a suite).
    concept_groups: Mapping[int, str] = field(default_factory=dict)


class Dataset(Protocol):
    """Images, captions, and which of them match. The constructor and `split` read indices only; pixels are read on access.

    An attribute `notes`, a sequence of strings, may say what was left aside or chosen. Items that cannot be used are refused
    together, as UnusableItems.

    A dataset whose attribute `streamed` is true returns PlacedImages as the images of its splits and has a method
    `read_image(file, offset, bytes)`; its train split is then never stored in decoded form. If its splits have originals, it
    has a method `read_original(file, offset, bytes)` as well.
    """

    size: int  # pixels; images are square
    licence: str
    fingerprint: str  # changes whenever the source files, the parameters or the version of what decodes the files change

    def split(self, name: SplitName) -> Split: ...
