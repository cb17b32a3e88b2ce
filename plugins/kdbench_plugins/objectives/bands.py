"""The low and the high band of a field: complementary masks of its Fourier spectrum, with a cut-off.

The transform is orthonormal, so squared norms of the bands are those of their spectra, and they sum to that of the field.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2


def low_mask(height: int, width: int, cutoff: float, device: torch.device | str = "cpu") -> Tensor:
    """1 for wavenumbers of the low band, 0 for those of the high band, [height, width//2 + 1] as `torch.fft.rfft2` orders them.

    A wavenumber is in the low band if its length, in cycles a pixel, is at most `cutoff` times the largest along an axis, 1/2.
    The mean of a field, of wavenumber 0, always is.
    """
    rows, columns = torch.fft.fftfreq(height, device=device), torch.fft.rfftfreq(width, device=device)
    lengths = (rows[:, None].square() + columns[None, :].square()).sqrt()
    mask: Tensor = lengths <= cutoff / 2 + 1e-6
    return mask.float()


def mask_for(field: Tensor, cutoff: float) -> Tensor:
    """The mask for the spectra of fields [..., H, W]."""
    return low_mask(field.shape[-2], field.shape[-1], cutoff, field.device)


def low_band(field: Tensor, cutoff: float) -> Tensor:
    """The low band of fields [..., H, W]."""
    return _filtered(field, mask_for(field, cutoff))


def high_band(field: Tensor, cutoff: float) -> Tensor:
    """The high band of fields [..., H, W]: with the low band, it sums to the field."""
    return _filtered(field, 1 - mask_for(field, cutoff))


def _filtered(field: Tensor, mask: Tensor) -> Tensor:
    spectrum = rfft2(field, norm="ortho") * mask.to(field.dtype)
    found: Tensor = irfft2(spectrum, s=field.shape[-2:], norm="ortho")
    return found
