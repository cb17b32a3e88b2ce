"""SimVP (Gao et al., CVPR 2022, arXiv 2206.05099): a frame encoder, an inception-like translator, a frame decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdbench_plugins.forecasters.frame_coder import SHRINKS, FrameDecoder, FrameEncoder
from kdbench_plugins.forecasters.layers import convolution, normed, stacked
from kdbench_plugins.forecasters.network import Network

GROUPS = 8


class SimVP(Network):
    """`width` channels a frame; the translator has `hidden` channels, over all frames together, in 2 · `depth` blocks.

    The latent map is the translator's output, all frames of the forecast beside each other.
    """

    def __init__(
        self,
        history: int,
        horizon: int,
        fields: int,
        width: int,
        hidden: int,
        depth: int,
        kernels: Sequence[int],
        *,
        periodic: bool,
    ) -> None:
        super().__init__()
        self.channels, self.multiple = horizon * width, SHRINKS
        self.least = SHRINKS * (max(kernels) // 2)  # what enters at an edge has left the map once, not several times
        self.encoder = FrameEncoder(fields, width, periodic=periodic)
        self.translator = Translator(history * width, horizon * width, hidden, depth, kernels, periodic=periodic)
        self.decoder = FrameDecoder(fields, width, horizon, periodic=periodic)

    def changes(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.encoder(frames)
        latent = self.translator(stacked(coarse))
        return self.decoder(latent, fine), latent


class Translator(nn.Module):
    """`depth` blocks, then as many that also read the output of their counterpart among the first."""

    def __init__(self, inputs: int, outputs: int, hidden: int, depth: int, kernels: Sequence[int], *, periodic: bool) -> None:
        super().__init__()

        def block(read: int, given: int) -> Inception:
            return Inception(read, hidden // 2, given, kernels, periodic=periodic)

        self.first = nn.ModuleList(block(inputs if place == 0 else hidden, hidden) for place in range(depth))
        self.last = nn.ModuleList(
            block(hidden if place == 0 else 2 * hidden, outputs if place == depth - 1 else hidden) for place in range(depth)
        )

    def forward(self, values: Tensor) -> Tensor:
        found: list[Tensor] = []
        for block in self.first:
            values = block(values)
            found.append(values)
        found.pop()
        values = self.last[0](values)
        for block in self.last[1:]:
            values = block(torch.cat([values, found.pop()], dim=1))
        return values


class Inception(nn.Module):
    """The sum of grouped convolutions by `kernels` of several sizes."""

    def __init__(self, inputs: int, hidden: int, outputs: int, kernels: Sequence[int], *, periodic: bool) -> None:
        super().__init__()
        groups = GROUPS if hidden % GROUPS == 0 and outputs % GROUPS == 0 else 1
        self.narrow = nn.Conv2d(inputs, hidden, 1)
        self.branches = nn.ModuleList(
            normed(convolution(hidden, outputs, kernel, groups=groups, periodic=periodic), groups) for kernel in kernels
        )

    def forward(self, values: Tensor) -> Tensor:
        narrow = self.narrow(values)
        return torch.stack([branch(narrow) for branch in self.branches]).sum(dim=0)
