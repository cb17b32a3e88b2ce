from __future__ import annotations

import torch
from torch import nn

from kdbench.tasks.forecasting.parts import forecast
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster


def test_the_part_is_one_forecast_on_the_grid_of_the_dataset() -> None:
    student = LinearForecaster()
    assert isinstance(student.module, nn.Module)
    [part] = forecast(student, {"grid": [8, 4]}, 3)
    assert part.name == "forecast"
    assert part.inputs.shape == (3, 2, 1, 8, 4)
    assert torch.equal(part.call(student.module, part.inputs), student.module(part.inputs))
    student.grid = (4, 4)  # type: ignore[attr-defined]
    assert forecast(student, {}, 1)[0].inputs.shape == (1, 2, 1, 4, 4)
