"""The scale of a dataset's fields: what they are normalised by, and what an SSIM is relative to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """Mean, standard deviation, minimum and maximum of each of C channels over the train split, in the units of the data."""

    mean: Sequence[float]
    std: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]

    @classmethod
    def of(cls, chunks: Iterable[NDArray[Any]]) -> Scale:
        """The scale of frames [n, F, C, H, W] that come in chunks. A channel without spread has a standard deviation of 1."""
        count, total, squares = 0, np.zeros(0), np.zeros(0)
        low, high, shift = np.zeros(0), np.zeros(0), np.zeros(0)
        for chunk in chunks:
            values = np.moveaxis(np.asarray(chunk, np.float64), 2, 0).reshape(chunk.shape[2], -1)
            if count == 0:
                shift = values.mean(axis=1)  # near the mean, or squares would lose digits
                total, squares = np.zeros_like(shift), np.zeros_like(shift)
                low, high = values.min(axis=1), values.max(axis=1)
            low, high = np.minimum(low, values.min(axis=1)), np.maximum(high, values.max(axis=1))
            values = values - shift[:, None]
            count, total, squares = count + values.shape[1], total + values.sum(axis=1), squares + (values**2).sum(axis=1)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        return cls((shift + mean).tolist(), np.where(std > 0, std, 1.0).tolist(), low.tolist(), high.tolist())

    @property
    def span(self) -> list[float]:
        """Maximum − minimum of each channel; 1 of a channel without spread."""
        return [high - low if high > low else 1.0 for low, high in zip(self.low, self.high, strict=True)]

    def normalised(self, frames: Tensor) -> Tensor:
        """Frames [B, F, C, H, W] in the units of the data, as forecasters read them."""
        return (frames - by_channel(self.mean, frames)) / by_channel(self.std, frames)

    def restored(self, frames: Tensor) -> Tensor:
        """Normalised frames in the units of the data."""
        return frames * by_channel(self.std, frames) + by_channel(self.mean, frames)


def by_channel(values: Sequence[float], like: Tensor) -> Tensor:
    """A value per channel, to be combined with `like` [B, F, C, H, W]."""
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)[:, None, None]
