"""Structural similarity (SSIM) of fields (Wang et al. 2004)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def ssim(forecast: Tensor, truth: Tensor, span: Sequence[float]) -> Tensor:
    """The mean SSIM of each frame, [B, F], of fields [B, F, C, H, W]: over channels and all windows that lie in the grid.

    Windows are Gaussian, 11 × 11 with σ = 1.5, as in the paper; on a grid with fewer points the largest odd number that fits.
    `span` holds the range of values of each channel, by which the paper's constants are scaled.
    """
    shape = truth.shape
    x, y = (values.reshape(-1, 1, *shape[-2:]) for values in (forecast, truth))
    window = gaussian(min(WINDOW, *shape[-2:])).to(x)
    spans = torch.tensor(span).to(x).repeat(len(x) // len(span))[:, None, None, None]

    def mean(values: Tensor) -> Tensor:
        return conv2d(conv2d(values, window[None, None, :, None]), window[None, None, None, :])

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (K1 * spans) ** 2, (K2 * spans) ** 2
    found = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    found = found / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return found.mean(dim=(1, 2, 3)).view(*shape[:3]).mean(dim=2)


def gaussian(size: int) -> Tensor:
    """Weights of a Gaussian window along one axis, float64, summing to 1; `size` is rounded down to an odd number."""
    size -= 1 - size % 2
    places = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-places.square() / (2 * SIGMA**2))
    return weights / weights.sum()
