"""A network as kdbench knows a forecaster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdbench.tasks.forecasting.forecasters import ForecastModule
    from kdbench_plugins.forecasters.network import Network


class NetworkForecaster:
    """Implements `Forecaster`: `history` frames of `channels` fields in, `horizon` frames out."""

    def __init__(self, module: Network, history: int, horizon: int, channels: int) -> None:
        self.history, self.horizon, self.channels = history, horizon, channels
        self.width = module.channels
        self.module: ForecastModule = module
