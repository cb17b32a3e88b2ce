"""Forecasts, also beyond the horizon, against a loop over samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench.errors import Diverged
from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.evaluation import evaluated_errors, rolled_out
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves
from kdbench.training.distributed import ALONE


@pytest.fixture(scope="module")
def student() -> LinearForecaster:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LinearForecaster()


def test_forecasts_are_fed_back_a_horizon_at_a_time(student: LinearForecaster) -> None:
    observed = torch.randn(2, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = rolled_out(student, observed, 7)
        first = student.module(observed)
        second = student.module(first[:, 1:])
        third = student.module(second[:, 1:])
    assert torch.equal(found, torch.cat([first, second, third], dim=1)[:, :7])


def test_errors_are_those_of_each_sample_whatever_the_batches(tmp_path: Path, student: LinearForecaster) -> None:
    data = encoded(OpenedFields(Waves(grid=(8, 8), beyond=2), Cache(tmp_path), "cpu", lambda *_: None), "test")
    whole, few = (evaluated_errors(student, data, (0.25, 0.75), 2, size, "cpu", ALONE) for size in (8, 3))
    assert whole.keys() == few.keys()
    for name, values in whole.items():
        assert np.allclose(values, few[name], rtol=1e-5), name
    frames = torch.from_numpy(np.array(data.frames))
    with torch.no_grad():
        forecast = data.scale.restored(rolled_out(student, data.scale.normalised(frames[:, :2]), 5))
    wrong = (forecast - frames[:, 2:7]).double().numpy()
    assert np.allclose(whole["mse"], (wrong[:, :3] ** 2).mean(axis=(1, 2, 3, 4)), rtol=1e-5)
    assert np.allclose(whole["rollout_mse"], (wrong[:, 3:] ** 2).mean(axis=(1, 2, 3, 4)), rtol=1e-5)


def test_forecasts_that_are_not_finite_diverge(tmp_path: Path) -> None:
    data = encoded(OpenedFields(Waves(grid=(8, 8)), Cache(tmp_path), "cpu", lambda *_: None), "test")
    broken = LinearForecaster()
    module: Any = broken.module
    module.decode.bias.data.fill_(torch.inf)
    with pytest.raises(Diverged, match="not finite"):
        evaluated_errors(broken, data, (0.25, 0.75), 0, 8, "cpu")
