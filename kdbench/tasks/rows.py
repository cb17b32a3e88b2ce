"""A feed and stored teacher outputs for tasks whose samples are rows of arrays, such as fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdbench.contracts import FeedSettings, TensorOutputs
from kdbench.data.on_device import moved, on_device
from kdbench.storage.memory_map import take


@dataclass(frozen=True)
class RowBatch:
    """Implements `Batch`: the `rows` [B] of a step and their `targets` [B, …]."""

    rows: Tensor
    targets: Tensor
    progress: float
    host: NDArray[np.int64] | None = None  # the same rows in numpy, to read stored values by

    def __len__(self) -> int:
        return len(self.rows)


class RowFeed:
    """Implements `Feed` over `inputs` [N, …] and `targets` [N, …], arrays or memory maps.

    Every epoch shuffles all rows; an incomplete last batch is left out. Floating-point values are read as float32.
    """

    def __init__(self, inputs: NDArray[Any], targets: NDArray[Any], settings: FeedSettings) -> None:
        self.read, self.targets, self.settings = inputs, targets, settings
        self.batch_size = min(settings.batch_size, len(inputs))
        self.per_epoch = len(inputs) // self.batch_size
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def rows(self, step: int) -> NDArray[np.int64]:
        """The row indices [B] of a step, counted from 0 over all epochs."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._order = np.random.default_rng((self.settings.seed, epoch)).permutation(len(self.read))
            self._epoch = epoch
        return self._order[position * self.batch_size : (position + 1) * self.batch_size]

    def batch(self, step: int) -> RowBatch:
        rows, device = self.rows(step), self.settings.device
        progress = (step - self.per_epoch * self.settings.before) / (self.per_epoch * self.settings.epochs)
        return RowBatch(moved(torch.from_numpy(rows), device), on_device(take(self.targets, rows), device), progress, rows)

    def inputs(self, step: int) -> Sequence[Tensor]:
        rows = self.rows(step)
        return [on_device(take(self.read, rows[self.settings.share(len(rows))]), self.settings.device)]


@dataclass(frozen=True)
class StoredRows:
    """Implements `TeacherOutputs` over a teacher's outputs [N, …] of the train split."""

    values: NDArray[Any]

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    def outputs(self, batch: RowBatch, device: str) -> TensorOutputs:
        rows = batch.rows.cpu().numpy() if batch.host is None else batch.host
        return TensorOutputs((on_device(take(self.values, rows), device),))
