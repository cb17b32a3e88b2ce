"""The convolutional encoder and decoder of single frames that SimVP and ST-AlterNet have around what evolves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdbench_plugins.forecasters.layers import batched, convolution, enlarged, normed, unstacked

SHRINKS = 4


class FrameEncoder(nn.Module):
    """Encodes each frame [B, T, C, H, W] to `width` channels: fine ones [B, T, width, H, W], and at a quarter of the size."""

    def __init__(self, fields: int, width: int, *, periodic: bool) -> None:
        super().__init__()
        strides = (1, 2, 1, 2)
        inputs = (fields, width, width, width)
        first, *others = (
            normed(convolution(inner, width, stride=stride, periodic=periodic))
            for inner, stride in zip(inputs, strides, strict=True)
        )
        self.first, self.others = first, nn.Sequential(*others)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.first(batched(frames))
        return separated(fine, frames), separated(self.others(fine), frames)


class FrameDecoder(nn.Module):
    """Decodes coarse channels [B, horizon·width, h, w] and fine ones [B, history, width, H, W] to frames [B, horizon, C, H, W].

    A forecast frame is decoded beside the observed one of the same number, counted again from the first where there are fewer.
    """

    def __init__(self, fields: int, width: int, horizon: int, *, periodic: bool) -> None:
        super().__init__()
        self.horizon = horizon
        self.larger = nn.Sequential(
            *(
                layer
                for _ in range(2)
                for layer in (enlarged(width, width, 2, periodic=periodic), nn.GroupNorm(1, width), nn.LeakyReLU(0.2))
            )
        )
        self.joined = normed(convolution(2 * width, width, periodic=periodic))
        self.out = nn.Conv2d(width, fields, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        beside = fine[:, beside_frames(self.horizon, fine.shape[1])]
        larger = self.larger(batched(unstacked(coarse, self.horizon)))
        return separated(self.out(self.joined(torch.cat([larger, batched(beside)], dim=1))), beside)


def separated(maps: Tensor, frames: Tensor) -> Tensor:
    """Maps [B·T, C, H, W] as those of frames [B, T, …]: [B, T, C, H, W]."""
    return maps.reshape(*frames.shape[:2], *maps.shape[1:])


def beside_frames(horizon: int, history: int) -> Sequence[int]:
    """The observed frame beside which each frame is decoded."""
    return [step % history for step in range(horizon)]
