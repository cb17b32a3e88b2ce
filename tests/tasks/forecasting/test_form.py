"""The form of fields: what of students and teachers is not as in a dataset."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kdbench.errors import PluginError
from kdbench.tasks.forecasting.form import misfits
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves

WAVES = Waves(grid=(8, 12))


def test_a_forecaster_of_the_form_of_its_dataset_fits() -> None:
    assert list(misfits(WAVES, "student", LinearForecaster)) == []


@pytest.mark.parametrize(("name", "found", "expected"), [("history", 3, 2), ("horizon", 4, 3), ("channels", 2, 1)])
def test_every_other_number_is_named(name: str, found: int, expected: int) -> None:
    build: Any = partial(LinearForecaster, **{name: found})
    assert list(misfits(WAVES, "student", build)) == [(name, found, f"{expected}, as {{dataset}} has")]


def test_a_forecaster_of_one_grid_is_for_no_other() -> None:
    student = LinearForecaster()
    student.grid = (8, 8)  # type: ignore[attr-defined]
    assert list(misfits(WAVES, "student", lambda: student)) == [("grid", [8, 8], "[8, 12], as {dataset} has")]


def test_a_grid_that_layers_cannot_divide_is_found_by_a_forecast() -> None:
    from kdbench_plugins.forecasters.unet import UNetForecaster

    build = partial(UNetForecaster, width=2, depth=3, history=2, horizon=3)
    with pytest.raises(PluginError, match="found fields on 8 × 12 points; expected sides of at least 1, multiples of 8"):
        list(misfits(WAVES, "student", build))


def test_a_teacher_is_compared_by_what_it_states() -> None:
    assert list(misfits(WAVES, "teacher", SimpleNamespace)) == []
    stating = partial(SimpleNamespace, horizon=9, grid=(8, 12))
    assert list(misfits(WAVES, "teacher", stating)) == [("horizon", 9, "3, as {dataset} has")]


def test_building_draws_nothing_from_the_callers_numbers() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(misfits(WAVES, "student", LinearForecaster))
    assert torch.equal(torch.rand(1), expected)
