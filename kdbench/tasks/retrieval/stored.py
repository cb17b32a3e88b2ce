"""A teacher's stored embeddings of the train split, and the bank that objectives read of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.contracts import Batch, Pairs
from kdbench.data.on_device import moved
from kdbench.storage.memory_map import take


@dataclass(frozen=True)
class StoredEmbeddings:
    """A teacher's embeddings of the train split in float16, and the scale of its logits. Implements `TeacherOutputs`."""

    image: NDArray[Any]  # [N, d_t]
    text: NDArray[Any]  # [M, d_t]
    logit_scale: float
    image_concepts: NDArray[np.int64]  # [N]
    caption_concepts: NDArray[np.int64]  # [M]
    views: NDArray[Any] | None = None  # [K·N, d_t], row v·N + i of view v of image i, if the teacher sees views
    text_views: NDArray[Any] | None = None  # [K·M, d_t], likewise of captions, if words are left out
    key: str = ""  # of the towers

    @property
    def width(self) -> int:
        return int(self.image.shape[1] or self.text.shape[1])

    def outputs(self, batch: Batch, device: str) -> Pairs:
        image, text = self.rows(batch)
        return Pairs(unit_rows(image, device), unit_rows(text, device), self.logit_scale, self._bank(device))

    def rows(self, batch: Batch) -> tuple[NDArray[Any], NDArray[Any]]:
        """The stored embeddings of a batch's images and captions, [B, d_t] each, as far as there are views of these views."""
        images, captions = batch.host or (batch.images.cpu().numpy(), batch.captions.cpu().numpy())
        return seen(self.image, self.views, images, batch.views), seen(self.text, self.text_views, captions, batch.views)

    def _bank(self, device: str) -> StoredBank:
        banks: dict[str, StoredBank] = self.__dict__.setdefault("_banks", {})
        return banks.setdefault(device, StoredBank(self, device))


def seen(plain: NDArray[Any], views: NDArray[Any] | None, rows: NDArray[Any], numbers: NDArray[Any] | None) -> NDArray[Any]:
    """The embeddings of rows of a split [B, d_t], of their views with these numbers if there are any."""
    return take(plain, rows) if views is None or numbers is None else take(views, numbers * len(plain) + rows)


class StoredBank:
    """Implements `Bank` over stored embeddings. A whole split is moved to the device only when it is requested."""

    def __init__(self, stored: StoredEmbeddings, device: str) -> None:
        self._stored = stored
        self._device = device
        self._whole: dict[str, Tensor] = {}

    @cached_property
    def image_concepts(self) -> Tensor:
        return torch.from_numpy(np.array(self._stored.image_concepts)).to(self._device)

    @cached_property
    def caption_concepts(self) -> Tensor:
        return torch.from_numpy(np.array(self._stored.caption_concepts)).to(self._device)

    def images(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("image", self._stored.image, indices)

    def captions(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("text", self._stored.text, indices)

    def _rows(self, name: str, values: NDArray[Any], indices: Tensor | None) -> Tensor:
        if indices is not None:
            return unit_rows(take(values, indices.cpu().numpy()), self._device)
        if name not in self._whole:
            self._whole[name] = unit_rows(np.array(values), self._device)
        return self._whole[name]


def unit_rows(values: NDArray[Any], device: str) -> Tensor:
    """Stored embeddings as float32 on `device`, normalised again because they are float16 on disk."""
    return nn.functional.normalize(moved(torch.from_numpy(values), device).float(), dim=1)
