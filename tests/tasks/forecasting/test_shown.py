"""A test split of fields for a person to look at."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.tasks.forecasting.shown import ShownFields
from kdbench.tasks.forecasting.task import Forecasting
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves
from kdbench.training.distributed import ALONE

[OF] = Forecasting().queries


@pytest.fixture
def data(tmp_path: Path) -> OpenedFields:
    return OpenedFields(Waves(), Cache(tmp_path), "cpu", lambda *_: None)


def test_forecasts_are_those_that_are_evaluated(data: OpenedFields) -> None:
    torch.manual_seed(0)
    student = LinearForecaster()
    cast(torch.nn.Module, student.module).eval()
    shown = Forecasting().show(data)
    assert isinstance(shown, ShownFields)
    outputs = shown.outputs(student, 3, "cpu")
    truth = data.split("test").frames[:, data.history : data.history + data.horizon]
    assert outputs["frames"].shape == truth.shape
    arrays = Forecasting().evaluate(student, Forecasting().encode(data, student, "test"), 3, "cpu", ALONE)
    own = np.square(outputs["frames"].astype(np.float64) - truth).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(own, arrays["mse"], rtol=1e-2)


def test_a_sample_is_shown_with_and_without_models(data: OpenedFields) -> None:
    shown = ShownFields(data)
    item = shown.query(OF, 1)
    assert item.name == "trajectory test 1"
    assert item.picture is not None
    assert item.picture().shape == (112, 112, 3)
    assert (list(shown.right(OF, 1)), list(shown.top({}, OF, 1, 5))) == ([], [])
    assert len(shown.pictures({}, OF, 1)) == 3
    frames = data.split("test").frames[:, data.history : data.history + data.horizon]
    assert [one.caption.split(":")[0].split(" of ")[0] for one in shown.pictures({"student": {"frames": frames}}, OF, 1)] == [
        "Truth",
        "student",
        "Animation",
        "Error against time",
        "Spectrum",
    ]


def test_a_dataset_that_is_not_opened_is_shown() -> None:
    assert len(ShownFields(Waves()).pictures({}, OF, 0)) == 3
