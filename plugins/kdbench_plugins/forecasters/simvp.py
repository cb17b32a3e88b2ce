"""The forecaster `simvp`: frames are encoded one by one, translated together, and decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench_plugins.forecasters.forecaster import NetworkForecaster
from kdbench_plugins.teachers.recipe import Count

Kernels = Annotated[list[Annotated[int, Field(ge=1, le=31)]], Field(min_length=1)]
PUBLISHED = [3, 5, 7, 11]


class SimVPForecaster(NetworkForecaster):
    """`width` channels a frame, `hidden` in a translator of 2 · `depth` blocks with kernels of the sizes `kernels`.

    The defaults are those of the published code. Unlike it, frames are enlarged by a convolution whose channels become pixels,
    what is forecast is the change from the last frame, and `periodic` fields are on a torus. `history`, `horizon` and
    `channels` are those of the dataset.
    """

    def __init__(
        self,
        *,
        width: Count = 16,
        hidden: Annotated[int, Field(ge=2)] = 256,
        depth: Count = 8,
        kernels: Kernels = PUBLISHED,
        periodic: bool = True,
        history: Count = 10,
        horizon: Count = 10,
        channels: Count = 1,
    ) -> None:
        from kdbench_plugins.forecasters.simvp_network import SimVP

        check(kernels=kernels)
        network = SimVP(history, horizon, channels, width, hidden, depth, kernels, periodic=periodic)
        super().__init__(network, history, horizon, channels)


def check(*, kernels: Sequence[int], **_: object) -> None:
    """Raises KdbenchError for a kernel without a centre."""
    if even := [kernel for kernel in kernels if kernel % 2 == 0]:
        raise KdbenchError(f"simvp: found a kernel of {even[0]} points; expected odd numbers")


SMALL = {"width": 2, "hidden": 8, "depth": 1, "kernels": [3]}


@hookimpl
def kdbench_students() -> list[Offer[Forecaster]]:
    return [
        Offer(
            "simvp",
            SimVPForecaster,
            "SimVP: frame encoder, inception-like translator, frame decoder",
            check,
            source="Gao et al. 2022, arXiv 2206.05099; a teacher of SDKD, arXiv 2507.02939",
            status="reconstruction",
            example={**SMALL, "history": 2, "horizon": 2},
            shown={"hidden": 256, "depth": 8},
            smoke=lambda params: params | SMALL,
            task="forecasting",
        )
    ]
