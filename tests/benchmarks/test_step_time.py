"""What teachers cost a step: times with T teachers relative to none, interleaved, with an interval. `make bench`."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.box_qp import solve
from kdbench_plugins.strategies.equal import Equal
from tests.support.emoji_learner import emoji_learner

ROUNDS = 12


@pytest.mark.parametrize("teachers", [2, 4])
def test_step_time_relative_to_no_teacher(teachers: int) -> None:
    torch.set_num_threads(1)
    learners = {
        "none": emoji_learner(0, None),
        "equal": emoji_learner(teachers, Equal()),
        "ammkd": emoji_learner(teachers, Ammkd()),
    }
    times: dict[str, list[float]] = {name: [] for name in learners}
    for step in range(ROUNDS + 2):
        for name, one in learners.items():
            started = time.perf_counter()
            one.step(step)
            if step >= 2:  # the first steps allocate
                times[name].append(time.perf_counter() - started)
    base = np.array(times["none"])
    print(f"\n{teachers} teachers, {np.median(base) * 1e3:.0f} ms a step without")
    for name in ("equal", "ammkd"):
        ratios = np.array(times[name]) / base
        low, high = np.quantile(ratios, [0.25, 0.75])
        print(f"  {name}: {np.median(ratios):.3f} × none (quartiles {low:.3f} to {high:.3f})")


@pytest.mark.parametrize("teachers", [2, 4, 8, 16])
def test_solve_time(teachers: int) -> None:
    rng = np.random.default_rng(0)
    times = []
    for _ in range(300):
        gradients = rng.normal(size=(teachers, 64)) + 0.5
        gramian = gradients @ gradients.T
        started = time.perf_counter()
        solve(gramian, 0.6)
        times.append(time.perf_counter() - started)
    print(f"\nbox QP, T = {teachers}: median {np.median(times) * 1e6:.0f} µs")
