"""The forecaster `st_alternet`: convolutions on the high, attention on the low frequencies of a latent map."""

from __future__ import annotations

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench_plugins.forecasters.forecaster import NetworkForecaster
from kdbench_plugins.teachers.recipe import Count


class AlterNetForecaster(NetworkForecaster):
    """`width` channels a frame; `depth` blocks evolve `hidden` channels, with `heads` heads of attention.

    A reconstruction: the paper's code was not available. `periodic` fields are on a torus. `history`, `horizon` and `channels`
    are those of the dataset.
    """

    def __init__(
        self,
        *,
        width: Count = 16,
        hidden: Count = 256,
        depth: Count = 6,
        heads: Count = 8,
        periodic: bool = True,
        history: Count = 10,
        horizon: Count = 10,
        channels: Count = 1,
    ) -> None:
        from kdbench_plugins.forecasters.alternet_network import AlterNet

        check(hidden=hidden, heads=heads)
        network = AlterNet(history, horizon, channels, width, hidden, depth, heads, periodic=periodic)
        super().__init__(network, history, horizon, channels)


def check(*, hidden: int, heads: int, **_: object) -> None:
    """Raises KdbenchError if the channels cannot be dealt to the heads."""
    if hidden % heads:
        raise KdbenchError(f"st_alternet: found {hidden} hidden channels and {heads} heads; expected a multiple of {heads}")


SMALL = {"width": 2, "hidden": 8, "depth": 1, "heads": 2}


@hookimpl
def kdbench_students() -> list[Offer[Forecaster]]:
    return [
        Offer(
            "st_alternet",
            AlterNetForecaster,
            "ST-AlterNet: convolutions on high, attention on low frequencies of a latent map",
            check,
            source="the teacher of SDKD: Li et al. 2025, arXiv 2507.02939, which leaves the layers open",
            status="reconstruction",
            example={**SMALL, "history": 2, "horizon": 2},
            shown={"hidden": 256, "depth": 6},
            smoke=lambda params: params | SMALL,
            task="forecasting",
        )
    ]
