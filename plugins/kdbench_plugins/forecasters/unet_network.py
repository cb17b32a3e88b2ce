"""U-Net over stacked frames (Ronneberger et al., arXiv 1505.04597)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from kdbench_plugins.forecasters.layers import convolution, normed, stacked, unstacked
from kdbench_plugins.forecasters.network import Network


class UNet(Network):
    """`width` channels at full resolution, twice as many after each of `depth` halvings. The latent map is the bottleneck.

    Unlike the original it keeps the size of maps by padding, normalises in groups, halves by means, and enlarges by copies.
    """

    def __init__(self, history: int, horizon: int, fields: int, width: int, depth: int, *, periodic: bool) -> None:
        super().__init__()
        self.horizon = horizon
        widths = [width * 2**level for level in range(depth + 1)]
        self.channels, self.multiple = widths[-1], 2**depth
        self.down = nn.ModuleList(
            twice(inputs, outputs, periodic) for inputs, outputs in zip([history * fields, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            twice(coarse + fine, fine, periodic) for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.out = nn.Conv2d(width, horizon * fields, 1)

    def changes(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        found = [self.down[0](stacked(frames))]
        for block in self.down[1:]:
            found.append(block(avg_pool2d(found[-1], 2)))
        latent = found.pop()
        values = latent
        for block in self.up:
            values = block(torch.cat([interpolate(values, scale_factor=2.0), found.pop()], dim=1))
        return unstacked(self.out(values), self.horizon), latent


def twice(inputs: int, outputs: int, periodic: bool) -> nn.Sequential:
    """Two convolutions, each normalised and activated."""
    first, second = ((inputs, outputs), (outputs, outputs))
    return nn.Sequential(normed(convolution(*first, periodic=periodic)), normed(convolution(*second, periodic=periodic)))
