"""Two-dimensional vorticity on the unit torus, by a pseudo-spectral method in float64.

    ∂ω/∂t + u·∇ω = ν Δω + f,   u = (∂ψ/∂y, −∂ψ/∂x),   −Δψ = ω

A field is ω [B, n, n] at the points (i/n, j/n). Its spectrum [B, n, n/2 + 1] holds its Fourier coefficients, in the order of
`torch.fft.rfft2`. Wave numbers of a third of the grid and above are left out of everything (the 2/3 rule), so that what is left
is an exact Galerkin method: without viscosity and force, it keeps energy and enstrophy.

In time, viscosity follows Crank and Nicolson, and the other terms Heun: of second order in the step. The solver behind the
published fields of the Fourier neural operator (arXiv 2010.08895) takes Euler's first-order step for the latter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Torus:
    """Wave numbers of a grid of n × n points, and transforms between fields and their spectra."""

    def __init__(self, grid: int, device: str = "cpu") -> None:
        self.grid = grid
        numbers = torch.fft.fftfreq(grid, 1 / grid, dtype=torch.float64, device=device)
        self.x = numbers[:, None].expand(grid, grid // 2 + 1)  # [n, n/2 + 1], as all that follows
        self.y = numbers[: grid // 2 + 1].abs().expand(grid, -1)
        self.kept = (3 * self.x.abs() < grid) & (3 * self.y < grid)
        self.laplacian = -((2 * math.pi) ** 2) * (self.x**2 + self.y**2)

    def spectrum(self, field: Tensor) -> Tensor:
        """The spectra of real fields [..., n, n], without the wave numbers that are left out."""
        found: Tensor = torch.fft.rfft2(field, norm="forward") * self.kept
        return found

    def field(self, spectrum: Tensor) -> Tensor:
        """The real fields [..., n, n] of spectra."""
        found: Tensor = torch.fft.irfft2(spectrum, s=(self.grid, self.grid), norm="forward")
        return found


class Flow:
    """Vorticity on a torus: `viscosity` ν ≥ 0, and `force` f [n, n], None for none."""

    def __init__(self, torus: Torus, viscosity: float, force: Tensor | None = None) -> None:
        self.torus, self.viscosity = torus, viscosity
        self.force = None if force is None else torus.spectrum(force)
        moved = torch.where(torus.laplacian < 0, -2 * math.pi / torus.laplacian, 0.0)
        # Complex, although real or imaginary: torch multiplies numbers of one type several times faster.
        self._velocity = 1j * torch.stack([torus.y, -torus.x]) * moved
        derivatives = (2 * math.pi) ** 2 * torch.stack([torus.x**2 - torus.y**2, torus.x * torus.y])
        self._carried = (derivatives * torus.kept / torus.grid**2).to(torch.complex128)

    def velocity(self, spectrum: Tensor) -> Tensor:
        """u of each spectrum, [B, 2, n, n]."""
        return self.torus.field(spectrum[:, None] * self._velocity)

    def explicit(self, spectrum: Tensor) -> Tensor:
        """The spectrum of −u·∇ω + f.

        As u has no divergence, u·∇ω = (∂xx − ∂yy)(u₁u₂) + ∂xy(u₂² − u₁²): four transforms, one fewer than as it stands.
        """
        first, second = self.velocity(spectrum).unbind(1)
        mixed = torch.fft.rfft2(first * second)
        difference = torch.fft.rfft2(torch.addcmul(second.square(), first, first, value=-1))
        carried = torch.addcmul(mixed * self._carried[0], difference, self._carried[1])
        return carried if self.force is None else carried.add_(self.force)

    def advance(self, spectrum: Tensor, step: float, steps: int) -> Tensor:
        """The spectrum after `steps` steps of `step` units of time."""
        half = step / 2 * self.viscosity * self.torus.laplacian
        decay, gain = ((value / (1 - half)).to(torch.complex128) for value in (1 + half, torch.full_like(half, step)))
        for _ in range(steps):
            before = self.explicit(spectrum)
            guess = torch.addcmul(decay * spectrum, gain, before)
            spectrum = torch.addcmul(guess, gain, self.explicit(guess).sub_(before), value=0.5)
        return spectrum

    def energy(self, spectrum: Tensor) -> Tensor:
        """The mean of |u|²/2, [B]."""
        return self.velocity(spectrum).square().sum(1).mean((-2, -1)) / 2

    def enstrophy(self, spectrum: Tensor) -> Tensor:
        """The mean of ω²/2, [B]."""
        return self.torus.field(spectrum).square().mean((-2, -1)) / 2


def diagonal_waves(grid: int, device: str = "cpu") -> Tensor:
    """The force 0.1 (sin + cos)(2π(x + y)) of arXiv 2010.08895, [n, n]."""
    points = torch.arange(grid, dtype=torch.float64, device=device) / grid
    angle = 2 * math.pi * (points[:, None] + points)
    return 0.1 * (angle.sin() + angle.cos())
