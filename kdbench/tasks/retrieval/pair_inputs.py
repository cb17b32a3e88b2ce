"""What a part of a teacher reads in every step: stored outputs of two encoders, of the images and captions of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from kdbench.contracts import Batch, Encoder
from kdbench.data.dataset import CachedDataset
from kdbench.data.on_device import moved
from kdbench.tasks.retrieval.stored import StoredEmbeddings, seen


@dataclass(frozen=True)
class Features:
    """The outputs of an encoder for a train split's items, and for their views if teachers see views."""

    plain: NDArray[Any]  # [N, …]
    views: NDArray[Any] | None = None  # [K·N, …], row v·N + i of view v of item i


@dataclass(frozen=True)
class PairInputs:
    """The outputs of an encoder of images and of one of texts."""

    images: Features
    texts: Features

    def read(self, batch: Batch, device: str) -> Iterator[Tensor]:
        """The rows of a batch's images, then of its captions, [B, …] each; floating-point numbers as float32."""
        places = batch.host or (batch.images.cpu().numpy(), batch.captions.cpu().numpy())
        for features, place in zip((self.images, self.texts), places, strict=True):
            values = moved(torch.from_numpy(seen(features.plain, features.views, place, batch.views)), device)
            yield values.float() if values.is_floating_point() else values


def inputs_of(data: CachedDataset, stored: StoredEmbeddings, images: Encoder, texts: Encoder) -> PairInputs:
    """What two encoders make of the train split, computed or loaded from the cache; of views as far as `stored` is."""

    def features(encoder: Encoder, views: Any) -> Features:
        viewed = None if views is None else data.encode(encoder, "train", views=views)
        return Features(data.encode(encoder, "train"), viewed)

    return PairInputs(
        features(images, None if stored.views is None else data.view_images),
        features(texts, None if stored.text_views is None else data.view_captions),
    )
