"""The two bands against a slow transform, and what complementary masks must satisfy."""

from __future__ import annotations

from math import pi

import pytest
import torch
from torch import Tensor

from kdbench_plugins.objectives.bands import high_band, low_band, low_mask

CUTOFF = 0.5


def slow_low(field: Tensor, cutoff: float) -> Tensor:
    """The low band of a field [H, W] as a sum over all wavenumbers, one at a time."""
    height, width = field.shape
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    total = torch.zeros(height, width, dtype=torch.complex128)
    for k in range(height):
        for m in range(width):
            ky, kx = (k if k <= height // 2 else k - height) / height, (m if m <= width // 2 else m - width) / width
            if (ky**2 + kx**2) ** 0.5 <= cutoff / 2 + 1e-6:
                wave = torch.exp(2j * pi * (k * y / height + m * x / width))
                total += (field * wave.conj()).sum() * wave / (height * width)
    return total.real


@pytest.mark.parametrize("shape", [(6, 6), (5, 8), (7, 3), (2, 2), (1, 1)])
@pytest.mark.parametrize("cutoff", [0.2, CUTOFF, 0.9])
def test_the_low_band_equals_the_sum_over_wavenumbers(shape: tuple[int, int], cutoff: float) -> None:
    field = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(low_band(field, cutoff), slow_low(field, cutoff))


@pytest.mark.parametrize("shape", [(16, 16), (9, 12)])
def test_bands_are_complementary(shape: tuple[int, int]) -> None:
    field = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    low, high = low_band(field, CUTOFF), high_band(field, CUTOFF)
    torch.testing.assert_close(low + high, field, rtol=0, atol=1e-6)
    torch.testing.assert_close(low_band(high, CUTOFF), torch.zeros_like(field), rtol=0, atol=1e-6)
    torch.testing.assert_close(low.square().sum() + high.square().sum(), field.square().sum())


def test_the_mean_is_low_and_the_checkerboard_is_high() -> None:
    constant = torch.ones(1, 8, 8)
    torch.testing.assert_close(low_band(constant, 0.1), constant)
    checkers = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8)[None])
    torch.testing.assert_close(high_band(checkers, 0.9), checkers)
    assert low_mask(8, 8, 0.5).sum() < low_mask(8, 8, 0.6).sum()
