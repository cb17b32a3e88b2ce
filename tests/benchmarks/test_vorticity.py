"""The solver of vorticity against a loop in plain numpy over trajectories and steps, on one thread. `make bench`."""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
import torch

from kdbench_plugins.datasets.navier_stokes import POINTS
from kdbench_plugins.datasets.random_fields import random_spectra
from kdbench_plugins.datasets.vorticity import Flow, Torus, diagonal_waves
from tests.support.plain_vorticity import PlainVorticity

ROUNDS, STEPS, STEP = 7, 20, 0.01
TIMES = {16: 10.0, 32: 10.0, 64: 4.0}  # at least, on one thread; of a finer grid, more time goes to the transforms themselves


@pytest.mark.parametrize("grid", TIMES)
def test_trajectories_together_against_one_by_one(grid: int) -> None:
    torch.set_num_threads(1)
    torus, count = Torus(grid), POINTS // grid**2
    spectra = random_spectra(torus, [(0, number) for number in range(count)])
    flow = Flow(torus, 1e-3, diagonal_waves(grid))
    plain, [field, *_] = PlainVorticity(grid, 1e-3, diagonal_waves(grid).numpy()), torus.field(spectra).numpy()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        started = process_time()
        with torch.inference_mode():
            flow.advance(spectra, STEP, STEPS)
        middle = process_time()
        plain.advance(field, STEP, STEPS)
        ours.append((middle - started) / STEPS / count)
        theirs.append((process_time() - middle) / STEPS)
    fast, slow = np.median(ours), np.median(theirs)
    print(f"\n{grid} × {grid}, {count} together: {fast * 1e6:.0f} µs a step, numpy {slow * 1e6:.0f} µs: {slow / fast:.1f} ×")
    assert slow / fast >= TIMES[grid]
