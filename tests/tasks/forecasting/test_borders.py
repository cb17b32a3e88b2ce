from __future__ import annotations

from typing import Any

import pytest
import torch

from kdbench import PluginError
from kdbench.tasks.forecasting.borders import check_fit, checked_both, checked_forecast, checked_forecaster
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves

FRAMES = torch.zeros(2, 2, 1, 8, 8)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 0, "width: found 0, expected the channels of its latent map, a positive int"),
        ("horizon", None, "horizon: found nothing, expected the frames that it forecasts"),
        ("history", True, "history: found True, expected the frames that it reads"),
        ("module", torch.zeros(1), "module: found float32 of shape .*expected a torch.nn.Module"),
        ("module", torch.nn.Identity(), "with_latent: found nothing, expected a method, which a forecaster's module must have"),
        ("grid", (8,), r"grid: found tuple of 1, expected the \(H, W\)"),
    ],
)
def test_what_a_forecaster_lacks_is_named(name: str, value: Any, message: str) -> None:
    student: Any = LinearForecaster()
    setattr(student, name, value)
    with pytest.raises(PluginError, match=message):
        checked_forecaster(student)


def test_a_forecaster_of_another_form_than_the_dataset_is_named() -> None:
    student: Any = LinearForecaster()
    check_fit(student, Waves(), (1, 16, 16), "the student")
    with pytest.raises(PluginError, match="the student: channels: found 1; expected 2, as the dataset has"):
        check_fit(student, Waves(), (2, 16, 16), "the student")
    with pytest.raises(PluginError, match="the student: history: found 2; expected 5"):
        check_fit(student, Waves(history=5), (1, 16, 16), "the student")
    student.grid = (8, 16)
    with pytest.raises(PluginError, match="the student: grid: found 8 × 16; expected 16 × 16"):
        check_fit(student, Waves(), (1, 16, 16), "the student")


def test_wrong_forecasts_and_latent_maps_are_named() -> None:
    student, right = LinearForecaster(), torch.zeros(2, 3, 1, 8, 8)
    assert checked_forecast(student, right, FRAMES) is right
    with pytest.raises(PluginError, match=r"forward: found shape \[2, 1, 1, 8, 8\], expected \[2, 3, 1, 8, 8\]"):
        checked_forecast(student, right[:, :1], FRAMES)
    with pytest.raises(PluginError, match=r"with_latent: found float32 .* expected a forecast and a latent map"):
        checked_both(student, right, FRAMES)
    with pytest.raises(PluginError, match=r"with_latent\(\)\[1\]: found shape \[2, 5, 8, 8\], expected \[2, 4, \?, \?\]"):
        checked_both(student, (right, torch.zeros(2, 5, 8, 8)), FRAMES)
