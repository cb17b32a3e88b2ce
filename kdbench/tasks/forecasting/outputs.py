"""What a step of forecasting computes with: the batch, and a model's outputs for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from kdbench.tasks.rows import RowBatch


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
    """Implements `Outputs`: a model's forecast for a batch, and its latent maps, of the same forward pass."""

    frames: Tensor  # [B, horizon, C, H, W], normalised
    latent: Tensor  # [B, c, h, w]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The forecast: where gradients per teacher are taken."""
        return (self.frames,)

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """The latent maps, which objectives read beside the forecast."""
        return (self.latent,) if self.latent.requires_grad else ()
