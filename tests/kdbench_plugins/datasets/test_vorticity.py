"""The solver of vorticity, held against closed forms, budgets, its order, and an independent integration."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.overrides import TorchFunctionMode

from kdbench_plugins.datasets.random_fields import random_spectra
from kdbench_plugins.datasets.vorticity import Flow, Torus, diagonal_waves
from tests.support.plain_vorticity import PlainVorticity

GRID = 16
TORUS = Torus(GRID)


def started(count: int = 1, strength: float = 5.0) -> Tensor:
    """Spectra of random fields; with this strength, what carries the fluid matters as much as what drives it."""
    return strength * random_spectra(TORUS, [(0, number) for number in range(count)])


def inner(first: Tensor, second: Tensor) -> Tensor:
    """The mean over the torus of the product of the fields of two spectra."""
    return (TORUS.field(first) * TORUS.field(second)).mean((-2, -1))


def stream(spectrum: Tensor) -> Tensor:
    """ψ of ω."""
    return torch.where(TORUS.laplacian < 0, -spectrum / TORUS.laplacian, 0)


def test_a_product_of_sines_decays_as_the_exponential() -> None:
    viscosity, time, points = 0.01, 0.5, torch.arange(GRID, dtype=torch.float64) / GRID
    waves = (2 * math.pi * points).sin()
    field = waves[:, None] * waves
    found = TORUS.field(Flow(TORUS, viscosity).advance(TORUS.spectrum(field[None]), 0.002, 250))[0]
    expected = math.exp(-8 * math.pi**2 * viscosity * time) * field
    assert (found - expected).abs().max() < 1e-6 * expected.abs().max()


def test_what_carries_the_fluid_keeps_energy_and_enstrophy() -> None:
    spectrum = started(3)
    carried = Flow(TORUS, 0.0).explicit(spectrum)
    for weight, scale in ((stream(spectrum), stream(carried)), (spectrum, carried)):
        kept = inner(weight, carried) / (inner(weight, weight) * inner(scale, scale)).sqrt()
        assert kept.abs().max() < 1e-12


def test_energy_and_enstrophy_budgets_close() -> None:
    """What is there at the end is what was there, less what viscosity took, and what the force did."""
    viscosity, step, steps = 2e-3, 0.002, 100
    flow = Flow(TORUS, viscosity, diagonal_waves(GRID))
    assert flow.force is not None
    spectrum = started()
    first, rates = (flow.energy(spectrum), flow.enstrophy(spectrum)), []
    for position in range(steps + 1):
        palinstrophy = -inner(spectrum, TORUS.laplacian * spectrum)
        taken = (2 * viscosity * flow.enstrophy(spectrum), viscosity * palinstrophy)
        done = (inner(stream(spectrum), flow.force[None]), inner(spectrum, flow.force[None]))
        rates.append(torch.cat([gain - loss for gain, loss in zip(done, taken, strict=True)]))
        if position < steps:
            spectrum = flow.advance(spectrum, step, 1)
    changes = torch.trapezoid(torch.stack(rates), dx=step, dim=0)
    for change, before, after in zip(changes, first, (flow.energy(spectrum), flow.enstrophy(spectrum)), strict=True):
        assert abs(float(after - before - change)) < 1e-4 * abs(float(change))
        assert abs(float(change)) > 1e-3 * float(before)  # there is something to account for


def test_halving_the_step_shows_the_second_order() -> None:
    flow = Flow(TORUS, 1e-3, diagonal_waves(GRID))
    coarse, middle, fine = (flow.advance(started(), 1.0 / steps, steps) for steps in (20, 40, 80))
    assert 3.8 < float((coarse - middle).abs().max() / (middle - fine).abs().max()) < 4.2


def test_it_agrees_with_an_integration_of_the_same_equations_by_scipy() -> None:
    viscosity, time = 1e-3, 0.5
    plain = PlainVorticity(GRID, viscosity, diagonal_waves(GRID).numpy())
    field = TORUS.field(started())[0].numpy()

    def rate(_: float, flat: Any) -> Any:
        return plain.rate(flat.view(complex).reshape(GRID, GRID)).ravel().view(float)

    begin = np.fft.fft2(field).ravel().view(float)
    ended = solve_ivp(rate, (0.0, time), begin, method="DOP853", rtol=1e-10, atol=1e-10)
    expected = np.fft.ifft2(ended.y[:, -1].view(complex).reshape(GRID, GRID)).real
    flow = Flow(TORUS, viscosity, diagonal_waves(GRID))
    coarse, fine = (TORUS.field(flow.advance(started(), time / steps, steps))[0].numpy() for steps in (100, 200))
    assert np.abs(fine - expected).max() < 5e-6 * np.abs(expected).max()
    assert np.abs((4 * fine - coarse) / 3 - expected).max() < 1e-7 * np.abs(expected).max()  # without the error of the step
    assert np.abs(expected - field).max() > 0.1 * np.abs(expected).max()


def test_it_agrees_with_the_same_steps_in_plain_numpy() -> None:
    spectra = started(2)
    found = TORUS.field(Flow(TORUS, 1e-3, diagonal_waves(GRID)).advance(spectra, 0.01, 5)).numpy()
    plain = PlainVorticity(GRID, 1e-3, diagonal_waves(GRID).numpy())
    for ours, begin in zip(found, TORUS.field(spectra).numpy(), strict=True):
        assert np.abs(ours - plain.advance(begin, 0.01, 5)).max() < 1e-13


class Transforms(TorchFunctionMode):
    """Counts the transforms that torch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "fft" in func.__name__:
            self.counts[func.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("count", [1, 6])
def test_a_step_takes_six_transforms_for_any_number_of_fields(count: int) -> None:
    """Two for the products and one for both velocities, twice."""
    flow, spectra = Flow(TORUS, 1e-3), started(count)
    with Transforms() as transforms:
        flow.advance(spectra, 0.01, 1)
    assert transforms.counts == {"fft_rfft2": 4, "fft_irfft2": 2}


def test_wave_numbers_of_a_third_of_the_grid_are_left_out() -> None:
    grid = 12
    torus = Torus(grid)
    noise = torus.spectrum(torch.randn(grid, grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    waves = {(int(x), int(y)) for x, y in zip(torus.x[noise != 0], torus.y[noise != 0], strict=True)}
    assert max(max(abs(x), y) for x, y in waves) == 3  # 4 is a third of 12: a product of two such waves would fold onto it


def test_the_force_is_that_of_the_paper() -> None:
    points = np.arange(GRID) / GRID
    angle = 2 * np.pi * (points[:, None] + points[None, :])
    np.testing.assert_allclose(diagonal_waves(GRID).numpy(), 0.1 * (np.sin(angle) + np.cos(angle)), atol=1e-15)
