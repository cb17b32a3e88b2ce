"""The base of forecasters' networks."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from kdbench import PluginError


class Network(nn.Module):
    """Implements `ForecastModule`. What the layers compute is added to the last observed frame, as flows change by little.

    `channels` is c, the channels of the latent map; the sides of a grid must be multiples of `multiple`, at least `least`.
    """

    channels: int
    multiple: int
    least: int = 1

    def forward(self, frames: Tensor) -> Tensor:
        return self.with_latent(frames)[0]

    def with_latent(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        height, width = frames.shape[-2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.least:
            raise PluginError(
                f"{type(self).__name__}: found fields on {height} × {width} points; expected sides of at least {self.least}, "
                f"multiples of {self.multiple}"
            )
        changes, latent = self.changes(frames)
        return frames[:, -1:] + changes, latent

    @abstractmethod
    def changes(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What the forecast [B, horizon, C, H, W] adds to the last of `frames` [B, history, C, H, W], and the latent map."""
