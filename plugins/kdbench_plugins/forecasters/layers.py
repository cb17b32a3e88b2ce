"""Layers that forecasters share. With `periodic`, fields are on a torus: what leaves at an edge enters at the opposite one."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, *, periodic: bool) -> nn.Conv2d:
    """A convolution that keeps the size of a map, or divides it by `stride`. `kernel` is odd."""
    mode: Literal["circular", "zeros"] = "circular" if periodic else "zeros"
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, padding_mode=mode)


def normed(layer: nn.Conv2d, groups: int = 2) -> nn.Sequential:
    """A convolution followed by a normalisation of `groups` groups of its channels, or of one group, and an activation."""
    channels = layer.out_channels
    return nn.Sequential(layer, nn.GroupNorm(groups if channels % groups == 0 else 1, channels), nn.LeakyReLU(0.2))


def enlarged(inputs: int, outputs: int, factor: int, *, periodic: bool) -> nn.Sequential:
    """A convolution to a map that is `factor` times larger: its further channels become pixels."""
    return nn.Sequential(convolution(inputs, outputs * factor**2, periodic=periodic), nn.PixelShuffle(factor))


def stacked(frames: Tensor) -> Tensor:
    """Frames [B, T, C, H, W] as the channels of one map, [B, T·C, H, W]."""
    return frames.flatten(1, 2)


def unstacked(fields: Tensor, frames: int) -> Tensor:
    """A map [B, T·C, H, W] as T = `frames` frames, [B, T, C, H, W]."""
    return fields.reshape(len(fields), frames, -1, *fields.shape[2:])


def batched(frames: Tensor) -> Tensor:
    """Frames [B, T, C, H, W] as maps of their own, [B·T, C, H, W]."""
    return frames.flatten(0, 1)
