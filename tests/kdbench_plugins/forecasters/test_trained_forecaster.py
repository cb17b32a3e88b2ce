"""Teachers of forecasting that are trained beforehand, on travelling waves."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params, construct
from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.tasks.forecasting.task import Forecasting
from kdbench.tasks.forecasting.teacher_data import OpenedForecastingData
from kdbench.testing.findings import insist
from kdbench.testing.forecasting.teachers import find
from kdbench.testing.forecasting.waves import Waves
from kdbench_plugins.forecasters import trained_forecaster
from kdbench_plugins.forecasters.trained_forecaster import TrainedForecaster

[OFFER] = trained_forecaster.kdbench_teachers()
SMALL: dict[str, Any] = {"use": "unet", "width": 4, "depth": 1, "history": 2, "horizon": 3}
SHORT: dict[str, Any] = {"epochs": 2, "batch_size": 8}


@pytest.fixture
def data(tmp_path: Path) -> OpenedForecastingData:
    return OpenedForecastingData(Forecasting(), OpenedFields(Waves(), Cache(tmp_path), "cpu", lambda *_: None))


def test_it_keeps_the_contract_of_teachers() -> None:
    assert OFFER.smoke is not None
    params = OFFER.smoke(checked_params(OFFER, dict(OFFER.example)))
    insist(find(partial(construct, OFFER, params)))


def test_it_is_trained_once_and_its_training_lowers_the_error(data: OpenedForecastingData) -> None:
    own = TrainedForecaster(forecaster=SMALL, **SHORT | {"epochs": 6, "lr": 0.01}).forecaster(data)
    again = TrainedForecaster(forecaster=dict(SMALL), **SHORT | {"epochs": 6, "lr": 0.01}).forecaster(data)
    other = TrainedForecaster(forecaster=SMALL, **SHORT | {"seed": 1}).forecaster(data)
    frames = torch.from_numpy(data.split("validation").frames[:])
    given, truth = frames[:, :2], frames[:, 2:]
    assert torch.equal(own.module(given), again.module(given))
    assert not torch.equal(own.module(given), other.module(given))
    persistence = (given[:, -1:] - truth).square().mean()
    assert (own.module(given) - truth).square().mean() < persistence


def test_a_team_teaches_a_forecaster(data: OpenedForecastingData) -> None:
    teachers = {name: teacher(seed) for seed, name in enumerate("ab")}
    taught = TrainedForecaster(forecaster=SMALL, teachers=teachers, strategy={"use": "ammkd"}, **SHORT).forecaster(data)
    alone = TrainedForecaster(forecaster=SMALL, **SHORT).forecaster(data)
    given = torch.from_numpy(data.split("validation").frames[:1, :2])
    assert not torch.equal(taught.module(given), alone.module(given))


class Asked:
    """Training data that answer with the key of a training."""

    device = "cpu"

    def fit(self, key: str, *_: Any) -> Any:
        return key


def test_what_teaches_it_is_in_its_key() -> None:
    def key(**params: Any) -> str:
        asked: Any = Asked()
        found: Any = TrainedForecaster(forecaster=SMALL, **params).forecaster(asked)
        return str(found)

    one, two = {"a": teacher(0)}, {"a": teacher(0), "b": teacher(1)}
    keys = [key(), key(teachers=one), key(teachers=two), key(teachers=two, strategy={"use": "ammkd"})]
    assert len(set(keys)) == len(keys)
    assert key(teachers=one, strategy={"use": "ammkd"}) == key(teachers=one), "there is nothing to weigh"


def teacher(seed: int) -> dict[str, Any]:
    return {"use": "trained_forecaster", "forecaster": SMALL, "seed": seed, **SHORT}


def test_what_is_for_teachers_is_refused_without_them() -> None:
    refuse("found `objective:` and no teachers", objective=[{"use": "field_mse"}])
    refuse("found `strategy:` and one teacher", teachers={"a": teacher(0)}, strategy={"use": "ammkd"})


def refuse(message: str, **params: Any) -> None:
    with pytest.raises(KdbenchError, match=message):
        check_deeper(OFFER, checked_params(OFFER, {"forecaster": SMALL, **params}))
