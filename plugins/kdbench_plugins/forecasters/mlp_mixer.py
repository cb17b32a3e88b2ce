"""The forecaster `mlp_mixer`: perceptrons over the positions and the channels of patches, in turn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench_plugins.forecasters.forecaster import NetworkForecaster
from kdbench_plugins.teachers.recipe import Count

Side = Annotated[int, Field(ge=1, le=4096)]


class MixerForecaster(NetworkForecaster):
    """`width` channels for each patch of `patch`² points, mixed by `depth` blocks, on a grid of `grid`² points.

    `grid`, `history`, `horizon` and `channels` are those of the dataset.
    """

    def __init__(
        self,
        *,
        width: Count = 64,
        depth: Count = 4,
        patch: Side = 4,
        grid: Side = 64,
        history: Count = 10,
        horizon: Count = 10,
        channels: Count = 1,
    ) -> None:
        from kdbench_plugins.forecasters.mixer_network import Mixer

        check(grid=grid, patch=patch)
        super().__init__(Mixer(history, horizon, channels, grid, width, depth, patch), history, horizon, channels)
        self.grid = (grid, grid)


def check(*, grid: int, patch: int, **_: object) -> None:
    """Raises KdbenchError if patches do not tile the grid."""
    if grid % patch:
        raise KdbenchError(f"student mlp_mixer: found a grid of {grid} and patches of {patch}; expected a multiple of {patch}")


@hookimpl
def kdbench_students() -> list[Offer[Forecaster]]:
    return [
        Offer(
            "mlp_mixer",
            MixerForecaster,
            "an MLP-Mixer over patches of stacked frames",
            check,
            source="Tolstikhin et al. 2021, arXiv 2105.01601; a student of SDKD, arXiv 2507.02939",
            status="reconstruction",
            example={"width": 4, "depth": 1, "grid": 16, "history": 2, "horizon": 2},
            shown={"width": 64, "depth": 4, "grid": 64},
            smoke=lambda params: params | {"width": 4, "depth": 1},
            task="forecasting",
        )
    ]
