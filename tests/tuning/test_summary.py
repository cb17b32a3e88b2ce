"""What a study found, by its directions."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.suite.study import Study, studies
from kdbench.tuning.ending import Ending
from tests.support.sweeping import claimed, conducted, opened, suite_of, value_of, with_settings


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def test_the_summary_says_what_is_known(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    assert (storage.summary(study).trials, storage.summary(study).best) == ([], None)
    conducted(storage, study)
    summary = storage.summary(study)
    assert (summary.study, summary.label, summary.split) == (study.name, "toy · a+b · ammkd", "validation")
    assert (summary.goals, summary.directions) == (["rsum"], ["maximize"])
    values = [trial.values[0] for trial in summary.trials]
    assert summary.best == values.index(max(values))
    assert all(trial.values == [value_of(trial.params)] for trial in summary.trials)
    assert {trial.seconds for trial in summary.trials} == {1.0}
    assert {trial.best_epoch for trial in summary.trials} == {2}
    assert set(summary.importance) == {"train.lr", "train.distill", "objective[1].coefficient", "strategy.C"}
    assert sum(summary.importance.values()) == pytest.approx(1, abs=1e-3)
    assert summary.pareto == []


def test_the_first_of_equals_is_the_best(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    for value in (1.0, 3.0, 3.0, 2.0):
        claim = claimed(storage, study)
        claim.draw()
        claim.end(Ending("complete", (value,)))
    assert storage.summary(study).best == 1


def test_the_first_of_equals_is_the_best_where_lower_is_better(tmp_path: Path, study: Study) -> None:
    study = with_settings(study, minimize=[study.settings.metric])
    storage = opened(tmp_path)
    storage.set_up(study)
    for value in (3.0, 1.0, 1.0, 2.0):
        claim = claimed(storage, study)
        claim.draw()
        claim.end(Ending("complete", (value,)))
    assert storage.summary(study).best == 1


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_goal_may_be_better_lower(tmp_path: Path, study: Study, sampler: str) -> None:
    """The same study with all values negated draws the same, and finds the same trial and importances."""
    found = []
    for name, minimize, sign in (("higher", [], 1), ("lower", [study.settings.metric], -1)):
        many = with_settings(study, trials=15, startup=4, sampler=sampler, minimize=minimize)
        many.__dict__["digest"] = "0" * 12  # which seeds the sampler
        storage = opened(tmp_path / name)
        storage.set_up(many)
        while (claim := storage.claim(many)) is not None:
            claim.end(Ending("complete", (sign * value_of(claim.draw()),)))
        summary = storage.summary(many)
        assert summary.directions == ["maximize" if sign == 1 else "minimize"]
        assert summary.best_trial
        assert sign * summary.best_trial.values[0] == max(sign * trial.values[0] for trial in summary.trials)
        found.append((summary.best, [trial.params for trial in summary.trials], summary.importance))
    assert found[0] == found[1]


def test_importance_separates_what_matters_from_what_does_not(tmp_path: Path, study: Study) -> None:
    many = with_settings(study, trials=30, sampler="random")
    storage = opened(tmp_path)
    conducted(storage, many)
    importance = storage.summary(many).importance
    assert importance["train.distill"] < importance["train.lr"] > importance["objective[1].coefficient"]


@pytest.mark.parametrize("lower", [False, True])
def test_several_objectives_have_a_pareto_set(tmp_path: Path, lower: bool) -> None:
    """And are not pruned. Against the definition: no other trial is as good in all and better in one."""
    edit = ("trials: 4", "trials: 12\n  objectives: [mean_recall, flops]\n  student: {width: [2, 4, 8, 16]}")
    study = with_settings(studies(suite_of(tmp_path, edit))[0], minimize=["mean_recall"] if lower else [])
    sign = -1 if lower else 1
    storage = opened(tmp_path)
    storage.set_up(study)
    while (claim := storage.claim(study)) is not None:
        params = claim.draw()
        assert not claim.report(1, -float(claim.number))
        values = round(params["train.lr"] * 30) + params["student.width"] % 5, float(params["student.width"])
        claim.end(Ending("complete", values))
    summary = storage.summary(study)
    assert summary.directions == ["minimize" if lower else "maximize", "minimize"]
    points = {trial.number: trial.values for trial in summary.trials}
    assert len(points) == 12

    def beaten(one: list[float]) -> bool:
        return any(other != one and sign * other[0] >= sign * one[0] and other[1] <= one[1] for other in points.values())

    assert summary.pareto == [number for number, values in points.items() if not beaten(values)]
    assert 0 < len(summary.pareto) < 12
    assert summary.best is None
