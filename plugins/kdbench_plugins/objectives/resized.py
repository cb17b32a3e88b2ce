"""Feature maps of another grid."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import interpolate


def resized(maps: Tensor, grid: Sequence[int]) -> Tensor:
    """Maps [B, C, H, W] on a grid of rows and columns, by antialiased bilinear interpolation; the same if they have it."""
    rows, columns = grid
    if maps.shape[-2:] == (rows, columns):
        return maps
    return interpolate(maps, (rows, columns), mode="bilinear", antialias=True)
