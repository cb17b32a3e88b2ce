"""What trials draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdbench.suite.study import Study, studies
from kdbench.suite.sweep import Parameter
from kdbench.tuning.ending import Ending
from tests.support.sweeping import claimed, conducted, opened, suite_of, with_settings


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def test_parameters_are_of_the_space(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    for _ in range(4):
        params = claimed(storage, study).draw()
        assert list(params) == ["train.lr", "train.distill", "objective[1].coefficient", "strategy.C"]
        assert 1e-3 <= params["train.lr"] <= 1e-1
        assert params["train.distill"] in (0.3, 1.0, 3.0)
        assert 0.5 <= params["strategy.C"] <= 1


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_first_trial_has_the_suites_own_parameters(tmp_path: Path, study: Study, sampler: str) -> None:
    """As far as they are in the space; what is not is drawn."""
    narrow = [one if one.path != "strategy.C" else one.model_copy(update={"low": 0.8}) for one in study.space]
    found = with_settings(study.replace(space=tuple(narrow)), sampler=sampler)
    storage = opened(tmp_path)
    storage.set_up(found)
    own = claimed(storage, found).draw()
    assert found.spec.strategy
    assert found.spec.strategy.params["C"] < 0.8 <= own.pop("strategy.C")
    assert own == {"train.lr": 0.02, "train.distill": 1.0, "objective[1].coefficient": 0.5}
    assert claimed(storage, found).draw()["train.lr"] != 0.02


def test_choices_come_back_as_they_were_given(tmp_path: Path, study: Study) -> None:
    """Lists and maps, too, which storages know nothing of; and 1 is not true."""
    choices: list[Any] = [{"layers": [1, 2]}, [3], None, "1", 1, True]
    space = (Parameter(path="student.config", kind="choice", choices=choices),)
    many = with_settings(study.replace(space=space), trials=40, sampler="random")
    storage = opened(tmp_path)
    storage.set_up(many)
    found = []
    while (claim := storage.claim(many)) is not None:
        found.append(claim.draw()["student.config"])
        claim.end(Ending("complete", (1.0,)))
    assert {json.dumps(one) for one in found} == {json.dumps(one) for one in choices}
    assert [trial.params["student.config"] for trial in storage.summary(many).trials] == found


def test_tpe_finds_more_than_chance(tmp_path: Path, study: Study) -> None:
    """Which shows that it knows the values of earlier trials."""
    means = {}
    for sampler in ("tpe", "random"):
        many = with_settings(study, trials=40, sampler=sampler, startup=8)
        storage = opened(tmp_path / sampler)
        conducted(storage, many)
        last = [trial.values[0] for trial in storage.summary(many).trials[20:]]
        means[sampler] = sum(last) / len(last)
    assert means["tpe"] > means["random"] + 3
