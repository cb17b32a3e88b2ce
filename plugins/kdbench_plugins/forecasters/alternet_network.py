"""ST-AlterNet, the teacher of SDKD (Li et al., arXiv 2507.02939), reconstructed: the paper's code was not available.

Published: an encoder, a latent evolution that models details of high frequency by convolutions and trends of low frequency by a
Transformer, and a decoder. Reconstructed: which frequencies are which (means of 2×2 patches are low, the rest is high), the
order within a block, positions (a convolution before the attention, which keeps shifts on the torus), and all sizes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, scaled_dot_product_attention

from kdbench_plugins.forecasters.frame_coder import SHRINKS, FrameDecoder, FrameEncoder
from kdbench_plugins.forecasters.layers import convolution, normed, stacked
from kdbench_plugins.forecasters.network import Network


class AlterNet(Network):
    """`width` channels a frame; `depth` blocks evolve `hidden` channels over all frames together.

    The latent map is what has evolved, [B, hidden, H/4, W/4].
    """

    def __init__(
        self, history: int, horizon: int, fields: int, width: int, hidden: int, depth: int, heads: int, *, periodic: bool
    ) -> None:
        super().__init__()
        self.channels, self.multiple = hidden, 2 * SHRINKS
        self.encoder = FrameEncoder(fields, width, periodic=periodic)
        self.entry = nn.Conv2d(history * width, hidden, 1)
        self.evolution = nn.Sequential(*(Block(hidden, heads, periodic=periodic) for _ in range(depth)))
        self.exit = nn.Conv2d(hidden, horizon * width, 1)
        self.decoder = FrameDecoder(fields, width, horizon, periodic=periodic)

    def changes(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.encoder(frames)
        latent = self.evolution(self.entry(stacked(coarse)))
        return self.decoder(self.exit(latent), fine), latent


class Block(nn.Module):
    """Adds what convolutions find in the high frequencies and attention in the low ones, then mixes channels."""

    def __init__(self, width: int, heads: int, *, periodic: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList((nn.GroupNorm(1, width), nn.GroupNorm(1, width)))
        self.high = nn.Sequential(
            normed(convolution(width, width, groups=width, periodic=periodic)),
            normed(nn.Conv2d(width, width, 1)),
            convolution(width, width, groups=width, periodic=periodic),
        )
        self.low = Attention(width, heads, periodic=periodic)
        self.mix = nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1))

    def forward(self, values: Tensor) -> Tensor:
        low, high = bands(self.norms[0](values))
        values = values + self.high(high) + enlarge(self.low(low))
        mixed: Tensor = values + self.mix(self.norms[1](values))
        return mixed


class Attention(nn.Module):
    """Attention of `heads` heads between all positions of a map."""

    def __init__(self, width: int, heads: int, *, periodic: bool) -> None:
        super().__init__()
        self.heads = heads
        self.position = convolution(width, width, groups=width, periodic=periodic)
        self.read = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, values: Tensor) -> Tensor:
        found = self.read(values + self.position(values)).flatten(2)  # [B, 3·width, N]
        query, key, value = found.unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(dim=1)
        attended = scaled_dot_product_attention(query, key, value)  # [B, heads, N, width / heads]
        joined: Tensor = self.out(attended.transpose(-1, -2).reshape(values.shape))
        return joined


def bands(values: Tensor) -> tuple[Tensor, Tensor]:
    """The means of 2×2 patches, [B, c, h/2, w/2], and what differs from them, [B, c, h, w]."""
    low = avg_pool2d(values, 2)
    return low, values - enlarge(low)


def enlarge(values: Tensor) -> Tensor:
    """A map of twice the size, by copies."""
    larger: Tensor = interpolate(values, scale_factor=2.0)
    return larger
