"""What a step of forecasting computes with: the batch, and a model's outputs for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from kdbench.tasks.rows import RowBatch

if TYPE_CHECKING:
    from kdbench.contracts.internals import Internals


@dataclass(frozen=True)
class FieldBatch(RowBatch):
    """The samples of a step. `targets` are the normalised frames to forecast, [B, horizon, C, H, W]."""

    ids: Sequence[str] = ()  # of all samples of the train split: the trajectory of each

    @property
    def image_ids(self) -> list[str]:
        """The ids of the B samples, under the name by which strategies that route by ids read them."""
        places = self.rows if self.host is None else self.host
        return [self.ids[place] for place in places.tolist()] if len(self.ids) else []


@dataclass(frozen=True)
class Forecast:
    """Implements `Outputs`: a model's forecast for a batch. Its latent map is the internal `maps`, if an objective reads it."""

    frames: Tensor  # [B, horizon, C, H, W], normalised
    internals: Internals = field(default_factory=dict)
    learned: tuple[Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The forecast: where gradients per teacher are taken, beside internals."""
        return (self.frames,)
