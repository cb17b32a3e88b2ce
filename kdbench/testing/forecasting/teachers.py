"""The properties of a teacher of forecasting, which is prepared twice on travelling waves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.borders import check_fit, checked_both, checked_forecaster
from kdbench.tasks.forecasting.forecasters import Forecaster, ForecastTeacher
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.tasks.forecasting.task import Forecasting
from kdbench.tasks.forecasting.teacher_data import OpenedForecastingData
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine, furthest, one_thread
from kdbench.testing.forecasting.students import GRID
from kdbench.testing.forecasting.waves import Waves

Build = Callable[[], ForecastTeacher]
FRAMES = 10  # of history and of horizon, for a teacher that trains no forecaster
CLOSE = 1e-4


class Formed(Exception):
    """Raised with the forecaster that a teacher would train."""


class Probe:
    """Training data that only find out which forecaster a teacher trains. Its waves are of `FRAMES` frames and as many."""

    device = "cpu"

    def split(self, name: Any) -> Any:
        return Waves(history=FRAMES, horizon=FRAMES, grid=GRID).split(name)

    def fit(self, key: str, build: Callable[[], Forecaster], *_: Any, **__: Any) -> Forecaster:  # noqa: ARG002
        raise Formed(build())


def waves_for(teacher: ForecastTeacher) -> Waves:
    """A dataset of the form of the forecaster that a teacher trains, or has."""
    try:
        forecaster: Any = teacher.forecaster(Probe())
    except Formed as formed:
        forecaster = formed.args[0]
    form = {name: getattr(forecaster, name) for name in ("history", "horizon", "channels")}
    return Waves(**form, grid=tuple(getattr(forecaster, "grid", None) or GRID))


class Examined:
    """Prepares a teacher in two empty caches, on waves of the form of its forecaster."""

    def __init__(self, build: Build, folder: Path) -> None:
        self._build, self._folder = build, folder
        self.asked: list[str] = []

    @cached_property
    def waves(self) -> Waves:
        return waves_for(self._build())

    @cached_property
    def first(self) -> Forecaster:
        return self.prepared("first")

    def prepared(self, name: str) -> Forecaster:
        data = OpenedFields(self.waves, Cache(self._folder / name), "cpu", lambda *_: None)
        asked = self.asked

        class Watched(OpenedForecastingData):
            def split(self, name: Any) -> Any:
                asked.append(name)
                return super().split(name)

        return self._build().forecaster(Watched(Forecasting(), data))

    @cached_property
    def frames(self) -> Tensor:
        return torch.from_numpy(self.waves.split("train").frames[:3, : self.waves.history])

    def forecast(self, forecaster: Forecaster) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            return checked_both(forecaster, forecaster.module.with_latent(self.frames), self.frames)


def valid(of: Examined) -> None:
    """It gives a forecaster of the dataset's form, with finite forecasts and latent maps."""
    forecaster = checked_forecaster(of.first)
    check_fit(forecaster, of.waves, (of.waves.channels, *of.waves.grid), "the teacher's forecaster")
    for what, made in zip(("forecasts", "latent maps"), of.forecast(forecaster), strict=True):
        if not torch.isfinite(made.half()).all():
            raise Broken(f"{what}: found values that are not finite in float16, in which they are stored")


def ready(of: Examined) -> None:
    """Its module is in eval mode and frozen."""
    module = cast(nn.Module, of.first.module)
    if module.training:
        raise Broken("found a module in training mode, expected eval mode")
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            raise Broken(f"{name} requires a gradient, expected none")


def equal_builds(of: Examined) -> None:
    """Prepared again with an empty cache, it gives the same forecasts."""
    again = of.prepared("second")
    for what, found, expected in zip(("forecasts", "latent maps"), of.forecast(again), of.forecast(of.first), strict=True):
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=0, atol=CLOSE):
            raise Broken(f"{what}, prepared twice: {furthest(found, expected)}")


def no_test_split(of: Examined) -> None:
    """A teacher requests only the train and validation splits."""
    assert of.first
    strange = [name for name in of.asked if name not in ("train", "validation")]
    if strange:
        raise Broken(f"the teacher requested the split {strange[0]!r}, expected only 'train' and 'validation'")


PROPERTIES: dict[str, Property[Examined]] = {
    "a forecaster of the dataset's form": valid,
    "frozen and in eval mode": ready,
    "two builds are equal": equal_builds,
    "the test split is not requested": no_test_split,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a teacher."""
    with one_thread(), torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        return examine(PROPERTIES, Examined(build, Path(folder)), waives)
