"""The forecaster `unet`: convolutions over stacked frames, at several resolutions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kdbench import Offer, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench_plugins.forecasters.forecaster import NetworkForecaster
from kdbench_plugins.teachers.recipe import Count


class UNetForecaster(NetworkForecaster):
    """`width` channels at full resolution, twice as many after each of `depth` halvings of the grid.

    `periodic` fields are on a torus, as those of `navier_stokes`; others are padded with zeros. `history`, `horizon` and
    `channels` are those of the dataset.
    """

    def __init__(
        self,
        *,
        width: Count = 16,
        depth: Annotated[int, Field(ge=0, le=6)] = 2,
        periodic: bool = True,
        history: Count = 10,
        horizon: Count = 10,
        channels: Count = 1,
    ) -> None:
        from kdbench_plugins.forecasters.unet_network import UNet

        super().__init__(UNet(history, horizon, channels, width, depth, periodic=periodic), history, horizon, channels)


@hookimpl
def kdbench_students() -> list[Offer[Forecaster]]:
    return [
        Offer(
            "unet",
            UNetForecaster,
            "a U-Net over stacked frames",
            source="Ronneberger et al. 2015, arXiv 1505.04597; a student of SDKD, arXiv 2507.02939",
            status="reconstruction",
            example={"width": 4, "depth": 1, "history": 2, "horizon": 2},
            shown={"width": 16, "depth": 2},
            smoke=lambda params: params | {"width": 2},
            task="forecasting",
        )
    ]
