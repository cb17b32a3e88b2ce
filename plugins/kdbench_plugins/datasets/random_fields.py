"""Gaussian random fields on the unit torus, with a power spectrum that falls off as a power of the wave number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kdbench_plugins.datasets.vorticity import Torus

ALPHA, TAU = 2.5, 7.0  # of arXiv 2010.08895


def random_spectra(torus: Torus, seeds: Sequence[Sequence[int]]) -> Tensor:
    """Spectra [B, n, n/2 + 1] of fields from N(0, τ^(2α − 2) (−Δ + τ²)^−α) with mean 0, one for each seed.

    Coefficients are drawn from low wave numbers to high ones: a finer grid has the same field and finer detail. The factor is
    that of the published code, of which the paper gives the root.
    """
    x, y = torus.x.long().cpu().numpy(), torus.y.long().cpu().numpy()
    rings = np.maximum(abs(x), y)
    order = np.lexsort((x.ravel(), y.ravel(), rings.ravel()))
    order = order[torus.kept.cpu().numpy().ravel()[order]]
    noise = np.zeros((len(seeds), x.size), dtype=np.complex128)
    for row, seed in enumerate(seeds):
        noise[row, order] = np.random.default_rng(seed).standard_normal((len(order), 2)) @ (math.sqrt(0.5), 1j * math.sqrt(0.5))
    drawn = torch.from_numpy(noise.reshape(len(seeds), *x.shape)).to(torus.x.device)
    last = torus.grid // 2
    drawn[:, -last + 1 :, 0] = drawn[:, 1:last, 0].flip(-1).conj()  # real fields: ω(−k) is the conjugate of ω(k)
    drawn[:, 0, 0] = 0
    deviation = TAU ** (ALPHA - 1) * (TAU**2 - torus.laplacian) ** (-ALPHA / 2)
    found: Tensor = deviation * drawn
    return found
