"""What is stored of a teacher is what its model forecasts, to float16, once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch

from kdbench import FeedSettings, PluginError
from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.feed import FieldFeed
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.tasks.forecasting.task import Forecasting
from kdbench.tasks.forecasting.teach import StoredForecasts, teach
from kdbench.tasks.forecasting.teacher_data import OpenedForecastingData
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves


class Ready:
    """A teacher that is there already."""

    def __init__(self, scale: float = 1.0, **form: int) -> None:
        self.scale, self.form = scale, form

    @cached_property
    def made(self) -> LinearForecaster:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = LinearForecaster(**self.form)
        module: Any = found.module
        module.decode.weight.data *= self.scale
        return found

    def forecaster(self, data: object) -> LinearForecaster:  # noqa: ARG002
        return self.made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> OpenedFields:
    return OpenedFields(Waves(grid=(8, 8)), Cache(tmp_path_factory.mktemp("cache")), "cpu", lambda *_: None)


def test_it_is_the_forecast_and_the_latent_map_of_every_sample(data: OpenedFields) -> None:
    teacher = Ready()
    stored = teach(Forecasting(), data, teacher)
    assert isinstance(stored.frames, np.memmap)
    assert {stored.frames.dtype, stored.latents.dtype} == {np.dtype(np.float16)}
    assert stored.width == 4
    split = data.split("train")
    observed = data.scale.normalised(torch.from_numpy(np.array(split.frames[:, :2])))
    with torch.no_grad():
        frames, latents = teacher.made.module.with_latent(observed)
    assert np.array_equal(stored.frames, frames.half().numpy())
    assert np.array_equal(stored.latents, latents.half().numpy())

    batch = FieldFeed(encoded(data, "train"), FeedSettings(6, 1, 0, "cpu", lambda _: slice(None))).batch(2)
    plain, shown = stored.outputs(batch, "cpu"), stored.exposing(["maps"]).outputs(batch, "cpu")
    assert plain.internals == {}
    assert torch.equal(plain.frames, frames[batch.rows].half().float())
    assert torch.equal(shown.internals["maps"][0], latents[batch.rows].half().float())
    with pytest.raises(PluginError, match="found the internal maps; expected text_hidden"):
        stored.exposing(["maps", "text_hidden"])


def test_equal_models_share_an_entry(data: OpenedFields) -> None:
    one, again, other = (teach(Forecasting(), data, teacher).key for teacher in (Ready(), Ready(), Ready(2.0)))
    assert one == again != other


def test_what_float16_cannot_hold_is_refused(data: OpenedFields) -> None:
    with pytest.raises(PluginError, match=r"with_latent: found values of .*expected finite numbers that float16 can hold"):
        teach(Forecasting(), data, Ready(1e9))


def test_a_teacher_of_another_form_is_refused(data: OpenedFields) -> None:
    with pytest.raises(PluginError, match="the teacher's forecaster: horizon: found 4; expected 3"):
        teach(Forecasting(), data, Ready(horizon=4))


def test_a_teacher_does_not_reach_the_test_split(data: OpenedFields) -> None:
    seen: Any = OpenedForecastingData(Forecasting(), data)
    assert len(seen.split("validation").frames) == 8
    with pytest.raises(PluginError, match="asked for the 'test' split"):
        seen.split("test")
    assert isinstance(teach(Forecasting(), data, Ready()), StoredForecasts)
