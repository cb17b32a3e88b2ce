"""Batches of pairs as a student's inputs; streamed images of the next batch are read while the current one is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdbench.contracts import Batch, FeedSettings
from kdbench.data.on_device import moved, on_device
from kdbench.data.streaming import Ahead
from kdbench.storage.memory_map import take
from kdbench.tasks.retrieval.batches import Batches
from kdbench.tasks.retrieval.embeddings import EncodedSplit


class PairFeed:
    """Implements `Feed` over `Batches`."""

    def __init__(self, data: EncodedSplit, settings: FeedSettings) -> None:
        self.data, self.settings = data, settings
        concepts = data.image_concepts, data.caption_concepts
        self.batches = Batches(*concepts, settings.batch_size, settings.seed, data.caption_weights)
        self.per_epoch = self.batches.per_epoch
        self.first = settings.before * self.per_epoch
        self.steps = settings.epochs * self.per_epoch
        self._images = Ahead(data.images, lambda step: self._rows(step)[0], self.first + self.steps)

    def batch(self, step: int) -> Batch:
        images, captions = self.batches(step)
        device = self.settings.device
        return Batch(
            images=moved(torch.from_numpy(images), device),
            captions=moved(torch.from_numpy(captions), device),
            concepts=moved(torch.from_numpy(take(self.data.image_concepts, images)), device),
            progress=(step - self.first) / self.steps,
            host=(images, captions),
            ids=self.data.image_ids,
            views=self._views(step) if self.data.views else None,
        )

    def inputs(self, step: int) -> Sequence[Tensor]:
        read = self._images(step), take(self.data.texts, self._rows(step)[1])
        return [on_device(values, self.settings.device) for values in read]

    def _views(self, step: int) -> NDArray[np.int64]:
        return self.batches.views(step, self.data.views)

    def _rows(self, step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rows of this rank's images and captions of a batch among the student's inputs."""
        images, captions = self.batches(step)
        if self.data.views:
            images = images + self._views(step) * len(self.data.image_concepts)
        if self.data.text_views:
            captions = captions + self._views(step) * len(self.data.caption_concepts)
        share = self.settings.share(len(images))
        return images[share], captions[share]
