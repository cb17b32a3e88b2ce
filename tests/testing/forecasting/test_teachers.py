"""The kit over teachers of forecasting: right ones, and wrong ones, of which it names the property that they break."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch

from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.teachers import PROPERTIES, find
from tests.support.waves import Drawn, Fitted


class Learning(Drawn):
    """Still to be trained."""

    def forecaster(self, data: Any) -> Forecaster:
        found = super().forecaster(data)
        module: Any = found.module
        module.requires_grad_().train()
        return found


class Random(Drawn):
    def forecaster(self, data: Any) -> Forecaster:
        found = super().forecaster(data)
        module: Any = found.module
        module.encode.weight.data = torch.randn_like(module.encode.weight, dtype=torch.float64).float() * float(torch.rand(1))
        return found


class Curious(Drawn):
    def forecaster(self, data: Any) -> Forecaster:
        if type(data).__name__ != "Probe":
            with suppress(Exception):
                data.split("test")
        return super().forecaster(data)


class Huge(Drawn):
    def forecaster(self, data: Any) -> Forecaster:
        found = super().forecaster(data)
        module: Any = found.module
        module.decode.bias.data.fill_(1e9)
        return found


def failures(build: Any) -> set[str]:
    return {finding.property for finding in find(build) if finding.outcome == "fails"}


def test_teachers_have_all_properties() -> None:
    for build in (Drawn, lambda: Fitted(epochs=1)):
        assert [(finding.property, finding.outcome) for finding in find(build)] == [(name, "holds") for name in PROPERTIES]


@pytest.mark.parametrize(
    ("teacher", "broken"),
    [
        (Learning, "frozen and in eval mode"),
        (Random, "two builds are equal"),
        (Curious, "the test split is not requested"),
        (Huge, "a forecaster of the dataset's form"),
    ],
)
def test_a_broken_property_is_named(teacher: type[Drawn], broken: str) -> None:
    assert failures(teacher) == {broken}


def test_waves_are_of_the_form_of_the_forecaster() -> None:
    class Long(Drawn):
        def forecaster(self, data: Any) -> Forecaster:
            recipe = {"epochs": 1, "batch_size": 8}
            found: Forecaster = data.fit("long", lambda: LinearForecaster(horizon=4, channels=2), recipe)
            return found

    assert failures(Long) == set()
