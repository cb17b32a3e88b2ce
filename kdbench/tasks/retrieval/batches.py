"""The pairs of a batch: a function of data, seed and step alone, hence the same for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.memory_map import blocks, let_go

Ints = NDArray[np.int64]


class Batches:
    """In every epoch, shuffles the images and draws for each one a caption of its concept, by `weights` [M] if there are any.

    An incomplete last batch is left out, because the loss of InfoNCE depends on the batch size. As every epoch has another
    order, all images are used over time. Memory: eight bytes per image (up to four billion), 16 bytes per caption if captions
    are not sorted by concept, and eight if they have weights.
    """

    def __init__(
        self,
        image_concepts: Ints,
        caption_concepts: Ints,
        batch_size: int,
        seed: int,
        weights: Sequence[float] | NDArray[np.float64] = (),
    ) -> None:
        self.image_concepts = image_concepts
        self.batch_size = min(batch_size, len(image_concepts))
        self.seed = seed
        self.per_epoch = len(image_concepts) // self.batch_size
        self._captions: Ints | None = None  # by concept, if they are not sorted
        self._ordered = caption_concepts
        if not _sorted(caption_concepts):
            self._captions = np.argsort(caption_concepts, kind="stable")
            self._ordered = caption_concepts[self._captions]
        self._summed: NDArray[np.float64] | None = None  # weights of the captions before each one, by concept, and of all
        if len(weights):
            ordered = np.asarray(weights, np.float64) if self._captions is None else np.asarray(weights)[self._captions]
            self._summed = np.concatenate([[0.0], np.cumsum(ordered)])
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
            chosen = self._choose(*self._captions_of(concepts), rng)
            self._drawn[start : start + len(concepts)] = chosen if self._captions is None else self._captions[chosen]
        self._epoch = epoch

    def _choose(self, first: Ints, count: Ints, rng: np.random.Generator) -> Ints:
        """One caption, in sorted order, of each of the groups [K] that begin at `first`."""
        drawn = rng.random(len(count))
        if self._summed is None:
            return first + (drawn * count).astype(np.int64)
        low, high = self._summed[first], self._summed[first + count]
        reached = np.minimum(low + drawn * (high - low), np.nextafter(high, low))  # below `high` in spite of rounding
        place: Ints = np.searchsorted(self._summed, reached, side="right") - 1
        return place

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
