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
    """`width` channels for each patch of `patch`² points, mixed by `depth` blocks, on a grid of `size`² points.

    `size`, `history`, `horizon` and `channels` are those of the dataset.
    """

    def __init__(
        self,
        *,
        width: Count = 64,
        depth: Count = 4,
        patch: Side = 4,
        size: Side = 64,
        history: Count = 10,
        horizon: Count = 10,
        channels: Count = 1,
    ) -> None:
        from kdbench_plugins.forecasters.mixer_network import Mixer

        check(size=size, patch=patch)
        super().__init__(Mixer(history, horizon, channels, size, width, depth, patch), history, horizon, channels)
        self.grid = (size, size)


def check(*, size: int, patch: int, **_: object) -> None:
    """Raises KdbenchError if patches do not tile the grid."""
    if size % patch:
        raise KdbenchError(f"student mlp_mixer: found a size of {size} and patches of {patch}; expected a multiple of {patch}")


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
            example={"width": 4, "depth": 1, "size": 16, "history": 2, "horizon": 2},
            shown={"width": 64, "depth": 4, "size": 64},
            smoke=lambda params: params | {"width": 4, "depth": 1},
            task="forecasting",
        )
    ]
