"""Radial spectra of fields: by the length of the wavenumber, in cycles per domain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def wavenumbers(height: int, width: int) -> Tensor:
    """The length |k| of each Fourier mode of a grid, [H, W] in the order of `torch.fft.fft2`."""
    rows, columns = (torch.fft.fftfreq(size, 1 / size, dtype=torch.float64) for size in (height, width))
    lengths: Tensor = (rows[:, None].square() + columns[None, :].square()).sqrt()
    return lengths


def nyquist(height: int, width: int) -> float:
    """The highest wavenumber that the shorter axis resolves."""
    return min(height, width) / 2


def powers(fields: Tensor) -> Tensor:
    """The power of each Fourier mode of fields [..., H, W]. Their sum is the mean square of the field (Parseval)."""
    found: Tensor = torch.fft.fft2(fields, norm="forward").abs().square()
    return found


def band_powers(fields: Tensor, limits: Sequence[float]) -> Tensor:
    """The power in each of the bands |k| ≤ first, first < |k| ≤ second, …, |k| > last, [..., bands].

    The bands sum to the mean square.
    `limits` are increasing fractions of `nyquist`.
    """
    height, width = fields.shape[-2:]
    bounds = torch.tensor([nyquist(height, width) * limit for limit in limits], dtype=torch.float64)
    band = torch.bucketize(wavenumbers(height, width), bounds).flatten().to(fields.device)
    found = fields.new_zeros(*fields.shape[:-2], len(limits) + 1)
    return found.index_add_(-1, band, powers(fields).flatten(-2))


def radial_spectrum(fields: Tensor) -> Tensor:
    """The power in shells |k| rounded to 0, 1, 2, …, [..., K], of fields [..., H, W]; the shells sum to the mean square."""
    shell = wavenumbers(*fields.shape[-2:]).round().long().flatten().to(fields.device)
    found = fields.new_zeros(*fields.shape[:-2], int(shell.max()) + 1)
    return found.index_add_(-1, shell, powers(fields).flatten(-2))
