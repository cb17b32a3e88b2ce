from __future__ import annotations

import numpy as np

from kdbench.tasks.forecasting.units import contributions, trajectories


def test_samples_of_a_trajectory_are_one_unit_and_means_stay() -> None:
    units = trajectories(["b", "b", "a", "c", "c", "c"])
    assert units.tolist() == [0, 0, 1, 2, 2, 2]
    values = np.random.default_rng(0).normal(size=(2, 6))
    found = contributions({"mse": values}, units)["mse"]
    assert found.shape == (2, 3)
    assert np.allclose(found.mean(axis=1), values.mean(axis=1), rtol=0, atol=1e-15)
    assert np.allclose(found[:, 1], values[:, 2] / 2)  # 3 of 6 shares of one sample
