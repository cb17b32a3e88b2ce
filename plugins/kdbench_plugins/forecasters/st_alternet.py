"""The forecaster `st_alternet`, as a student and as a teacher that is trained beforehand."""

from __future__ import annotations

from typing import Any

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster, ForecastTeacher
from kdbench_plugins.forecasters.forecaster import NetworkForecaster
from kdbench_plugins.forecasters.trained_forecaster import TrainedForecaster
from kdbench_plugins.teachers.recipe import Count, NotNegative, Positive

SOURCE = "the teacher of SDKD: Li et al. 2025, arXiv 2507.02939, which leaves the layers open"


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


class AlterNetTeacher(TrainedForecaster):
    """The forecaster `st_alternet` with its parameters, trained on the train split for `epochs`."""

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
        epochs: Count = 100,
        batch_size: Count = 16,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.01,
        seed: int = 0,
    ) -> None:
        network: dict[str, Any] = {
            "use": "st_alternet",
            "width": width,
            "hidden": hidden,
            "depth": depth,
            "heads": heads,
            "periodic": periodic,
            "history": history,
            "horizon": horizon,
            "channels": channels,
        }
        super().__init__(forecaster=network, epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=weight_decay, seed=seed)


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
            source=SOURCE,
            status="reconstruction",
            example={**SMALL, "history": 2, "horizon": 2},
            shown={"hidden": 256, "depth": 6},
            smoke=lambda params: params | SMALL,
            task="forecasting",
        )
    ]


@hookimpl
def kdbench_teachers() -> list[Offer[ForecastTeacher]]:
    return [
        Offer(
            "st_alternet",
            AlterNetTeacher,
            "ST-AlterNet, trained on the dataset beforehand",
            check,
            source=SOURCE,
            status="reconstruction",
            example={**SMALL, "history": 2, "horizon": 2, "epochs": 1},
            shown={"hidden": 256, "depth": 6, "epochs": 100},
            smoke=lambda params: params | SMALL | {"epochs": 1},
            task="forecasting",
        )
    ]
