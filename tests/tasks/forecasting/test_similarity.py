"""SSIM against a loop over windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdbench.tasks.forecasting.similarity import gaussian, ssim


def direct(x: np.ndarray, y: np.ndarray, span: float, size: int) -> float:
    """Wang et al. 2004, eq. 13, at every window of one frame."""
    axis = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * 1.5**2))
    weights = np.outer(axis, axis) / axis.sum() ** 2
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = []
    for row in range(x.shape[0] - size + 1):
        for column in range(x.shape[1] - size + 1):
            a, b = (each[row : row + size, column : column + size] for each in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            found.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(found))


@pytest.mark.parametrize(("grid", "size"), [((14, 12), 11), ((8, 6), 5)])
def test_it_is_the_mean_over_windows_and_channels(grid: tuple[int, int], size: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 3, 2, *grid))
    forecast = truth + 0.3 * rng.normal(size=truth.shape)
    span = [4.0, 7.0]
    found = ssim(torch.from_numpy(forecast), torch.from_numpy(truth), span)
    assert found.shape == (2, 3)
    for sample in range(2):
        for frame in range(3):
            channels = [direct(forecast[sample, frame, c], truth[sample, frame, c], span[c], size) for c in range(2)]
            assert found[sample, frame] == pytest.approx(np.mean(channels), abs=1e-12)


def test_equal_fields_have_one_and_opposite_ones_less_than_zero() -> None:
    fields = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 1, 1, 12, 12)))
    assert torch.allclose(ssim(fields, fields, [1.0]), torch.ones(1, 1, dtype=torch.float64))
    assert ssim(5 - fields, 5 + fields, [1.0]) < 0
    assert len(gaussian(10)) == 9
