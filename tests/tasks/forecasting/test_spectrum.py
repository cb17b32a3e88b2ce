"""Spectra against sums written out mode by mode."""

from __future__ import annotations

import numpy as np
import torch

from kdbench.tasks.forecasting.spectrum import band_powers, nyquist, powers, radial_spectrum, wavenumbers

FIELD = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 8)))


def direct(field: np.ndarray) -> dict[tuple[int, int], float]:
    """|1/N Σ f(x) e^{-ik·x}|² of each mode k, with components in (-n/2, n/2], by the definition."""
    height, width = field.shape
    rows, columns = np.mgrid[:height, :width]
    found = {}
    for k in range(-((height - 1) // 2), height // 2 + 1):
        for m in range(-((width - 1) // 2), width // 2 + 1):
            wave = np.exp(-2j * np.pi * (k * rows / height + m * columns / width))
            found[k, m] = abs((field * wave).mean()) ** 2
    return found


def test_bands_are_sums_over_modes_and_sum_to_the_mean_square() -> None:
    modes = direct(FIELD.numpy())
    assert len(modes) == FIELD.numel()
    ends = [0.4 * 3, 0.8 * 3]
    expected = [0.0, 0.0, 0.0]
    for (k, m), power in modes.items():
        expected[sum(np.hypot(k, m) > end for end in ends)] += power
    found = band_powers(FIELD, [0.4, 0.8])
    assert torch.allclose(found, torch.tensor(expected, dtype=torch.float64), atol=1e-12)
    assert torch.isclose(found.sum(), FIELD.square().mean(), atol=1e-12)
    assert torch.isclose(powers(FIELD).sum(), FIELD.square().mean(), atol=1e-12)


def test_shells_are_sums_over_modes() -> None:
    expected = np.zeros(6)
    for (k, m), power in direct(FIELD.numpy()).items():
        expected[round(np.hypot(k, m))] += power
    assert np.allclose(radial_spectrum(FIELD).numpy(), expected, atol=1e-12)


def test_a_wave_is_in_its_band_alone() -> None:
    places = 2 * torch.pi * torch.arange(16, dtype=torch.float64) / 16
    wave = torch.sin(3 * places)[:, None] * torch.ones(16, dtype=torch.float64)
    assert wavenumbers(16, 16)[3, 0] == 3
    assert nyquist(16, 16) == 8
    fields = torch.stack([wave, wave.T, torch.ones_like(wave)])
    found = band_powers(fields, [0.25, 0.375])
    expected = torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(found, expected, atol=1e-12)
