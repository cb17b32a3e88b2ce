"""A small world of forecasting: travelling waves, forecasters of two convolutions, teachers that are or train such."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from kdbench import Offer, hookimpl
from kdbench.plugins.loading import Plugins
from kdbench.tasks import forecasting
from kdbench.tasks.forecasting.forecasters import Forecaster, ForecastingData
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves
from kdbench_plugins.objectives import field_feature, field_mse, frequency
from kdbench_plugins.strategies import ammkd, entropy, equal, meta, mtkd_rl, rl_select, route, whiten_mtd


class FewWaves(Waves):
    """Waves with parameters that a suite can write."""

    def __init__(self, *, side: int = 8, beyond: int = 0, windows: int = 1) -> None:
        super().__init__(grid=(side, side), beyond=beyond, windows=windows)


class Fitted:
    """A teacher: the linear forecaster of a width, trained for some epochs."""

    def __init__(self, *, width: int = 6, epochs: int = 4) -> None:
        self.width, self.epochs = width, epochs

    def forecaster(self, data: ForecastingData) -> Forecaster:
        recipe = {"epochs": self.epochs, "batch_size": 8, "lr": 0.02, "precision": "fp32"}
        return data.fit(f"fitted {self.width}", partial(LinearForecaster, width=self.width), recipe)


class Drawn:
    """A teacher that has learned nothing."""

    def forecaster(self, data: ForecastingData) -> Forecaster:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = LinearForecaster()
        module: Any = found.module
        module.to(data.device).eval().requires_grad_(False)
        return found


@hookimpl
def kdbench_datasets() -> list[Offer[Any]]:
    return [Offer("waves", FewWaves, task="forecasting")]


@hookimpl
def kdbench_students() -> list[Offer[Any]]:
    return [Offer("linear_forecaster", LinearForecaster, task="forecasting")]


@hookimpl
def kdbench_teachers() -> list[Offer[Any]]:
    return [Offer("fitted", Fitted, task="forecasting"), Offer("drawn", Drawn, task="forecasting")]


def registered() -> Plugins:
    """Plugins of this world, with strategies that can and that cannot weigh forecasts."""
    from tests.support import waves

    found = Plugins()
    strategies = (ammkd, entropy, equal, meta, mtkd_rl, rl_select, route, whiten_mtd)
    for module in (forecasting, waves, field_mse, field_feature, frequency, *strategies):
        found.register(module, f"kdbench:{module.__name__.rpartition('.')[2]}")
    return found
