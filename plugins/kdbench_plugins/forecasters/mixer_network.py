"""MLP-Mixer over patches of stacked frames (Tolstikhin et al., arXiv 2105.01601)."""

from __future__ import annotations

from torch import Tensor, nn

from kdbench_plugins.forecasters.layers import stacked, unstacked
from kdbench_plugins.forecasters.network import Network


class Mixer(Network):
    """Patches of `patch`² pixels become `width` channels; `depth` blocks mix positions and channels in turn.

    The mixing of positions has a weight for each pair of patches: the network is for grids of `size`² points alone. The latent
    map holds the channels of the patches after the last block.
    """

    def __init__(self, history: int, horizon: int, fields: int, size: int, width: int, depth: int, patch: int) -> None:
        super().__init__()
        self.horizon, self.channels, self.multiple, self.least = horizon, width, size, size
        self.side = size // patch
        self.patches = nn.Conv2d(history * fields, width, patch, stride=patch)
        self.blocks = nn.Sequential(*(Block(self.side**2, width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Sequential(nn.Conv2d(width, horizon * fields * patch**2, 1), nn.PixelShuffle(patch))

    def changes(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        positions = self.patches(stacked(frames)).flatten(2).transpose(1, 2)  # [B, N, width]
        mixed = self.norm(self.blocks(positions))
        latent = mixed.transpose(1, 2).unflatten(2, (self.side, self.side))
        return unstacked(self.pixels(latent), self.horizon), latent


class Block(nn.Module):
    """Mixes N `positions`, then `width` channels, of values [B, N, width]; what it finds is added."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList((nn.LayerNorm(width), nn.LayerNorm(width)))
        self.positions = perceptron(positions, positions // 2 or 1)
        self.channels = perceptron(width, 2 * width)

    def forward(self, values: Tensor) -> Tensor:
        values = values + self.positions(self.norms[0](values).transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = values + self.channels(self.norms[1](values))
        return mixed


def perceptron(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
