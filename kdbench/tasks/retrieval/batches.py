"""The pairs of a batch: a function of data, seed and step alone, hence the same for every strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.memory_map import blocks, let_go

Ints = NDArray[np.int64]


class Batches:
    """In every epoch, shuffles the images and draws for each one a caption of its concept.

    An incomplete last batch is left out, because the loss of InfoNCE depends on the batch size. As every epoch has another
    order, all images are used over time. Memory: eight bytes per image (up to four billion), and 16 bytes per caption if
    captions are not sorted by concept.
    """

    def __init__(self, image_concepts: Ints, caption_concepts: Ints, batch_size: int, seed: int) -> None:
        self.image_concepts = image_concepts
        self.batch_size = min(batch_size, len(image_concepts))
        self.seed = seed
        self.per_epoch = len(image_concepts) // self.batch_size
        self._captions: Ints | None = None  # by concept, if they are not sorted
        self._ordered = caption_concepts
        if not _sorted(caption_concepts):
            self._captions = np.argsort(caption_concepts, kind="stable")
            self._ordered = caption_concepts[self._captions]
        for start, concepts in blocks(image_concepts):
            _, count = self._captions_of(concepts)
            if (count == 0).any():
                orphan = int(np.flatnonzero(count == 0)[0])
                raise ValueError(f"training image {start + orphan} (concept {concepts[orphan]}) has no caption")
        self._epoch = -1
        self._order: NDArray[np.unsignedinteger[Any]] = np.empty(0, dtype=np.uint32)
        self._first: NDArray[np.uint32] = np.empty(0, dtype=np.uint32)  # of each image's views
        self._drawn: NDArray[np.unsignedinteger[Any]] = np.empty(0, dtype=np.uint32)

    def __call__(self, step: int) -> tuple[Ints, Ints]:
        """Indices of the images and of their captions, [B] each, at `step`, counted from 0 over all epochs."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._shuffle(epoch)
        images = self._order[position * self.batch_size : (position + 1) * self.batch_size].astype(np.int64)
        return images, self._drawn[images].astype(np.int64)

    def views(self, step: int, count: int) -> Ints:
        """The number of the view, below `count`, in which each image of a step's batch is shown, [B].

        Every image goes through all of its views in turn, each image from another one on.
        """
        if self._first.size == 0:
            self._first = np.random.default_rng((self.seed, count)).integers(
                count, size=len(self.image_concepts), dtype=np.uint32
            )
        images, _ = self(step)
        return (self._first[images].astype(np.int64) + step // self.per_epoch) % count

    def _shuffle(self, epoch: int) -> None:
        rng = np.random.default_rng((self.seed, epoch))
        most = max(len(self.image_concepts), len(self._ordered))
        self._order = np.arange(len(self.image_concepts), dtype=np.uint32 if most <= 2**32 else np.uint64)
        rng.shuffle(self._order)  # the permutation of rng.permutation in 32-bit integers
        self._drawn = np.empty_like(self._order)
        for start, concepts in blocks(self.image_concepts):
            first, count = self._captions_of(concepts)
            chosen = first + (rng.random(len(count)) * count).astype(np.int64)
            self._drawn[start : start + len(count)] = chosen if self._captions is None else self._captions[chosen]
        self._epoch = epoch

    def _captions_of(self, concepts: Ints) -> tuple[Ints, Ints]:
        """The first caption, in sorted order, and the number of captions of each of the concepts [K]."""
        first = np.searchsorted(self._ordered, concepts, side="left")
        count = np.searchsorted(self._ordered, concepts, side="right") - first
        let_go(self._ordered)
        return first, count


def _sorted(values: Ints) -> bool:
    last = None
    for _, block in blocks(values):
        if (block[1:] < block[:-1]).any() or (last is not None and block[0] < last):
            return False
        last = block[-1]
    return True
