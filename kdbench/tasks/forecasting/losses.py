"""The task loss."""

from __future__ import annotations

from torch import Tensor


def squared_errors(forecast: Tensor, targets: Tensor) -> Tensor:
    """The mean squared error of each sample, [B], over frames, channels and points of [B, …]."""
    return (forecast - targets).square().flatten(1).mean(dim=1)
