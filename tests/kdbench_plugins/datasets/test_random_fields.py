"""Random initial fields: their spectrum of power, and that each belongs to its seed alone."""

from __future__ import annotations

import numpy as np
import torch

from kdbench_plugins.datasets.random_fields import random_spectra
from kdbench_plugins.datasets.vorticity import Torus

TORUS = Torus(16)


def test_the_power_of_each_wave_is_that_of_the_covariance() -> None:
    count = 1000
    power = random_spectra(TORUS, [(0, number) for number in range(count)]).abs().square().mean(0)
    expected = 7.0**3 * (49.0 - TORUS.laplacian) ** -2.5 * TORUS.kept
    expected[0, 0] = 0.0
    found = power[expected > 0] / expected[expected > 0]
    assert (found - 1).abs().max() < 5 / count**0.5  # the square of a complex normal varies by its mean
    assert not power[expected == 0].any()


def test_fields_are_real_and_have_no_mean() -> None:
    spectra = random_spectra(TORUS, [(0, 0), (0, 1)])
    fields = TORUS.field(spectra)
    assert (TORUS.spectrum(fields) - spectra).abs().max() < 1e-15
    assert fields.mean((-2, -1)).abs().max() < 1e-15


def test_a_seed_has_the_same_field_beside_any_others() -> None:
    together = random_spectra(TORUS, [(0, 3), (0, 1), (1, 3)])
    assert torch.equal(random_spectra(TORUS, [(0, 1)])[0], together[1])
    assert not torch.equal(together[0], together[2])


def test_a_finer_grid_adds_detail_and_changes_no_wave() -> None:
    fine = Torus(32)
    coarse, finer = random_spectra(TORUS, [(0, 0)])[0], random_spectra(fine, [(0, 0)])[0]
    for x, y in np.argwhere(TORUS.kept.numpy()):
        place = int(TORUS.x[x, y]) % 32, int(y)
        assert coarse[x, y] == finer[place]
    assert fine.field(finer).std() > TORUS.field(coarse).std()
