"""The batches of a training: normalised history as inputs, normalised horizon as targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from kdbench.contracts import FeedSettings
from kdbench.data.on_device import moved, on_device
from kdbench.storage.memory_map import take
from kdbench.tasks.forecasting.opened import EncodedFields
from kdbench.tasks.forecasting.outputs import FieldBatch
from kdbench.tasks.rows import RowFeed


class FieldFeed(RowFeed):
    """Implements `Feed` over a split, in the order of `RowFeed`. Frames beyond the horizon are not seen."""

    def __init__(self, data: EncodedFields, settings: FeedSettings) -> None:
        super().__init__(data.frames, data.frames, settings)
        self.data = data
        self._last: tuple[int, NDArray[Any]] = (-1, data.frames[:0])

    def batch(self, step: int) -> FieldBatch:
        rows, device, data = self.rows(step), self.settings.device, self.data
        targets = self._frames(step)[:, data.history : data.history + data.horizon]
        progress = (step - self.per_epoch * self.settings.before) / (self.per_epoch * self.settings.epochs)
        return FieldBatch(
            rows=moved(torch.from_numpy(rows), device),
            targets=data.scale.normalised(on_device(targets, device)),
            progress=progress,
            host=rows,
            ids=data.ids,
        )

    def inputs(self, step: int) -> Sequence[Tensor]:
        frames = self._frames(step)[self.settings.share(len(self.rows(step))), : self.data.history]
        return [self.data.scale.normalised(on_device(frames, self.settings.device))]

    def _frames(self, step: int) -> NDArray[Any]:
        """All frames of the samples of a step, read once for inputs and targets."""
        if self._last[0] != step:
            self._last = step, take(self.data.frames, self.rows(step))
        return self._last[1]
