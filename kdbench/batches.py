"""Which pairs make up which batch: a pure function of the data, the seed and the step, the same for every strategy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Batches:
    """Every epoch shuffles the images and draws for each one a caption of its concept.

    An incomplete last batch is left out: a smaller batch is an easier InfoNCE task, so its loss would not compare.
    Shuffling anew each epoch gives every image its turn.
    """

    def __init__(self, image_concepts: Ints, caption_concepts: Ints, batch_size: int, seed: int) -> None:
        self.image_concepts = image_concepts
        self.batch_size = min(batch_size, len(image_concepts))
        self.seed = seed
        self.per_epoch = len(image_concepts) // self.batch_size
        self._captions = np.argsort(caption_concepts, kind="stable")
        ordered = caption_concepts[self._captions]
        self._first = np.searchsorted(ordered, image_concepts, side="left")
        self._count = np.searchsorted(ordered, image_concepts, side="right") - self._first
        if (self._count == 0).any():
            orphan = int(np.flatnonzero(self._count == 0)[0])
            raise ValueError(f"training image {orphan} (concept {image_concepts[orphan]}) has no caption")
        self._epoch = -1
        self._order: Ints = np.empty(0, dtype=np.int64)
        self._drawn: Ints = np.empty(0, dtype=np.int64)

    def __call__(self, step: int) -> tuple[Ints, Ints]:
        """Indices of the images and of their captions, [B] each, at a step counted from 0 over all epochs."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._order = rng.permutation(len(self.image_concepts))
            self._drawn = self._captions[self._first + (rng.random(len(self._count)) * self._count).astype(np.int64)]
            self._epoch = epoch
        images = self._order[place * self.batch_size : (place + 1) * self.batch_size]
        return images, self._drawn[images]
