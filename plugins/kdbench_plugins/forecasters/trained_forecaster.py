"""The teacher `trained_forecaster`: any forecaster, trained before the runs and cached, alone or taught by a team."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from kdbench import KdbenchError, Offer, Uses, build, hookimpl
from kdbench.tasks.forecasting.forecasters import Forecaster, ForecastingData, ForecastTeacher
from kdbench_plugins.teachers.recipe import Count, NotNegative, Positive, Share
from kdbench_plugins.teachers.trained import Team, Terms, files_in, taught_by


class TrainedForecaster:
    """`forecaster` is a student's spec, such as `{use: unet, width: 32}`; it is trained on the train split alone.

    `teachers` are teachers by name, as in a suite; they teach it with the terms of `objective`, by default `field_mse`,
    weighted by `strategy`, by default `equal`, and their losses by `distill` beside the task loss.
    """

    def __init__(
        self,
        *,
        forecaster: Annotated[dict[str, Any], Uses("student")],
        teachers: Team = None,
        objective: Terms = None,
        strategy: Annotated[dict[str, Any] | None, Uses("strategy")] = None,
        epochs: Count = 100,
        batch_size: Count = 16,
        lr: Positive = 1e-3,
        weight_decay: NotNegative = 0.01,
        warmup: Share = 0.1,
        clip_norm: Positive = 1.0,
        distill: NotNegative = 1.0,
        seed: int = 0,
    ) -> None:
        self.model = forecaster
        self.teachers = teachers or {}
        self.objective = objective or [{"use": "field_mse"}]
        self.strategy = strategy or {"use": "equal"}
        self.recipe: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "distill": distill,
            "seed": seed,
        }

    def forecaster(self, data: ForecastingData) -> Forecaster:
        parts: list[Any] = ["trained_forecaster", self.model, files_in(self.model)]
        if self.teachers:
            taught = [self.teachers, self.objective, self.strategy if len(self.teachers) > 1 else None]
            parts += [taught, files_in(taught)]
        return data.fit(
            json.dumps(parts, sort_keys=True),
            partial(build, "student", self.model),
            self.recipe,
            taught_by(self.teachers, self.objective, self.strategy),
        )


def check(
    *,
    teachers: dict[str, dict[str, Any]] | None = None,
    objective: list[dict[str, Any]] | None = None,
    strategy: dict[str, Any] | None = None,
    **_: object,
) -> None:
    """Raises KdbenchError for an objective of no teachers, and for a strategy without two to weigh."""
    for name, value in (("objective", objective), ("strategy", strategy)):
        if value and not teachers:
            raise KdbenchError(
                f"teacher trained_forecaster: found `{name}:` and no teachers; expected `teachers:` whose losses it is for"
            )
    if strategy and len(teachers or {}) == 1:
        raise KdbenchError(
            "teacher trained_forecaster: found `strategy:` and one teacher; expected none, or two teachers to weigh"
        )


@hookimpl
def kdbench_teachers() -> list[Offer[ForecastTeacher]]:
    return [
        Offer(
            "trained_forecaster",
            TrainedForecaster,
            "any forecaster, trained beforehand, alone or taught by a team",
            check,
            smoke=lambda params: params | {"epochs": 1},
            example={"forecaster": {"use": "unet", "width": 4, "depth": 1, "history": 2, "horizon": 2}},
            shown={"forecaster": {"use": "unet", "width": 32}, "epochs": 100},
            task="forecasting",
        )
    ]
