"""Errors of forecasts against plain numpy, a sample and a frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdbench.tasks.forecasting.errors import errors
from kdbench.tasks.forecasting.metrics import metrics

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(3, 5, 2, 8, 8))
FORECAST = TRUTH + 0.2 * RNG.normal(size=TRUTH.shape)
FOUND = errors(torch.from_numpy(FORECAST), torch.from_numpy(TRUTH), 3, [6.0, 6.0], [0.25, 0.75])


@pytest.mark.parametrize("sample", range(3))
def test_they_are_those_of_numpy(sample: int) -> None:
    truth, wrong = TRUTH[sample, :3], FORECAST[sample, :3] - TRUTH[sample, :3]
    expected = {
        "mse": (wrong**2).mean(),
        "mae": abs(wrong).mean(),
        "relative_l2": np.linalg.norm(wrong) / np.linalg.norm(truth),
        "mse_first": (wrong[0] ** 2).mean(),
        "mse_last": (wrong[2] ** 2).mean(),
    }
    beyond, its_truth = FORECAST[sample, 3:] - TRUTH[sample, 3:], TRUTH[sample, 3:]
    expected["rollout_mse"] = (beyond**2).mean()
    expected["rollout_relative_l2"] = np.linalg.norm(beyond) / np.linalg.norm(its_truth)
    for name, value in expected.items():
        assert FOUND[name][sample] == pytest.approx(value, rel=1e-12), name
    for frame in range(3):
        by_frame = {"mse": (wrong[frame] ** 2).mean(), "mae": abs(wrong[frame]).mean()}
        by_frame["relative_l2"] = np.linalg.norm(wrong[frame]) / np.linalg.norm(truth[frame])
        for name, value in by_frame.items():
            assert FOUND[f"{name}_by_frame"][sample, frame] == pytest.approx(value, rel=1e-12), name
    bands = sum(FOUND[f"mse_{band}"][sample] for band in ("low", "middle", "high"))
    assert bands == pytest.approx(expected["mse"], rel=1e-12)


def test_there_is_one_for_every_metric() -> None:
    names = {metric.name for metric in metrics(rollout=2)}
    assert {name for name in FOUND if not name.endswith("_by_frame")} == names
    without = errors(torch.from_numpy(FORECAST[:, :3]), torch.from_numpy(TRUTH[:, :3]), 3, [6.0, 6.0], [0.25, 0.75])
    assert {name for name in without if not name.endswith("_by_frame")} == {metric.name for metric in metrics(0)}


def test_an_error_of_long_waves_is_low_alone() -> None:
    wave = np.sin(2 * np.pi * np.arange(8) / 8)[:, None] * np.ones(8)
    found = errors(torch.from_numpy(TRUTH + 0.1 * wave), torch.from_numpy(TRUTH), 5, [6.0, 6.0], [0.25, 0.75])
    assert found["mse_low"].numpy() == pytest.approx([0.005] * 3)
    assert found["mse_high"].abs().max() < 1e-15


def test_a_truth_of_zeros_has_a_finite_relative_error() -> None:
    zero = torch.zeros(1, 1, 1, 8, 8, dtype=torch.float64)
    assert errors(zero, zero, 1, [1.0], [0.25, 0.75])["relative_l2"] == 0
    assert torch.isfinite(errors(zero + 1, zero, 1, [1.0], [0.25, 0.75])["relative_l2"]).all()
