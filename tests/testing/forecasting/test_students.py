"""The kit over forecasters: a right one, and wrong ones, of which it names the property that they break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.students import PROPERTIES, find


def changed(**methods: Any) -> Callable[[], LinearForecaster]:
    """Builds forecasters whose module has other methods, given the module."""

    def build() -> LinearForecaster:
        found = LinearForecaster()
        module: Any = found.module
        for name, method in methods.items():
            setattr(module, name, method.__get__(module))
        return found

    return build


def short(module: Any, frames: Any) -> Any:
    forecast, latent = type(module).with_latent(module, frames)
    return forecast[:, :1], latent


def other(module: Any, frames: Any) -> Any:
    return type(module).with_latent(module, frames)[0] + 1


def detached(module: Any, frames: Any) -> Any:
    forecast, latent = type(module).with_latent(module, frames)
    return forecast, latent.detach().requires_grad_()


def centred(module: Any, frames: Any) -> Any:
    forecast, latent = type(module).with_latent(module, frames)
    return forecast - forecast.mean(dim=0), latent


def unseeded() -> LinearForecaster:
    found = LinearForecaster()
    module: Any = found.module
    nn.init.normal_(module.decode.bias, generator=torch.Generator().manual_seed(int(torch.seed() % 2**31)))
    return found


class Halved(LinearForecaster):
    def finalize(self) -> nn.Module:
        other: Any = LinearForecaster()
        module: nn.Module = other.module
        return module


def failures(build: Callable[[], Any]) -> list[str]:
    return [finding.property for finding in find(build) if finding.outcome == "fails"]


def test_the_linear_forecaster_has_all_properties() -> None:
    found = find(LinearForecaster)
    assert [(finding.property, finding.outcome) for finding in found] == [(name, "holds") for name in PROPERTIES]


@pytest.mark.parametrize(
    ("build", "broken"),
    [
        (changed(with_latent=short), "forecasts and latent maps of the form it states"),
        (changed(forward=other), "forecast and latent map of one pass"),
        (changed(with_latent=detached), "gradients reach the parameters"),
        (changed(with_latent=centred), "a forecast does not depend on its batch"),
        (unseeded, "initial weights follow the seed"),
        (Halved, "finalizing keeps the forecasts"),
    ],
)
def test_a_broken_property_is_named(build: Callable[[], Any], broken: str) -> None:
    assert broken in failures(build)
