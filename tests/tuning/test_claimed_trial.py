"""A trial that this process executes: what it draws, when it is pruned, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.suite.study import Study, studies
from kdbench.tuning.ending import Ending
from tests.support.sweeping import abandoned, claimed, conducted, opened, suite_of, value_of, with_settings


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def test_a_trial_abandoned_between_two_parameters_draws_the_rest_as_it_would_have(tmp_path: Path, study: Study) -> None:
    calm = opened(tmp_path / "calm")
    calm.set_up(study)
    expected = claimed(calm, study).draw()
    storage = opened(tmp_path)
    storage.set_up(study)
    claim = claimed(storage, study)
    short = study.replace(space=study.space[:2])
    claim.study = short
    short.__dict__["digest"] = study.digest
    assert list(claim.draw()) == list(expected)[:2]
    claim.study = study
    abandoned(claim)
    assert claimed(storage, study).draw() == expected


def test_a_checkpoint_is_forgotten_before_its_trial_counts_as_ended(tmp_path: Path, study: Study) -> None:
    """A kill in between repeats the trial; in the other order it left the checkpoint behind for ever."""
    storage, seen = opened(tmp_path), []
    storage.set_up(study)
    claim = claimed(storage, study)
    claim.end(Ending("complete", (value_of(claim.draw()),)), lambda: seen.append(storage.counts(study)["running"]))
    assert seen == [1]
    assert storage.counts(study)["complete"] == 1


def test_one_worker_draws_the_same_every_time(tmp_path: Path, study: Study) -> None:
    """Whatever trial it was killed in; another seed draws others."""
    many = with_settings(study, trials=9, startup=3)
    calm, killed, other = (opened(tmp_path / name) for name in ("calm", "killed", "other"))
    conducted(calm, many)
    killed.set_up(many)
    for number in range(9):
        for _ in range(number % 3):
            claim = claimed(killed, many)
            claim.draw()
            abandoned(claim)
            killed = opened(tmp_path / "killed")
        claim = claimed(killed, many)
        claim.end(Ending("complete", (value_of(claim.draw()),)))
    drawn = [[trial.params for trial in storage.summary(many).trials] for storage in (calm, killed)]
    assert drawn[0] == drawn[1]
    again = with_settings(many, seed=1)
    conducted(other, again)
    first, *others = [trial.params for trial in other.summary(again).trials]
    assert first == drawn[0][0]
    assert not any(params in drawn[0] for params in others)


def test_pruning_by_what_others_had_at_the_same_epoch(tmp_path: Path, study: Study) -> None:
    """η is 3: the first, and a better one, go on; what comes after both and is worse does not. Never after the last epoch."""
    storage = opened(tmp_path)
    storage.set_up(study)
    reports = {0: [50.0, 51.0, 52.0], 1: [60.0, 61.0, 62.0], 2: [40.0], 3: [70.0, 5.0, 5.0]}
    pruned: dict[int, list[bool]] = {}
    for number, values in reports.items():
        claim = claimed(storage, study)
        claim.draw()
        pruned[number] = [claim.report(epoch, value) for epoch, value in enumerate(values, start=1)]
        claim.end(Ending("pruned", (), "after epoch 1") if pruned[number][-1] else Ending("complete", (values[-1],)))
    assert pruned == {0: [False] * 3, 1: [False] * 3, 2: [True], 3: [False] * 3}
    assert storage.counts(study) == {"complete": 3, "pruned": 1}
    assert storage.summary(study).trials[2].epochs == {1: 40.0}


def test_pruning_where_lower_is_better(tmp_path: Path, study: Study) -> None:
    study = with_settings(study, minimize=[study.settings.metric])
    storage = opened(tmp_path)
    storage.set_up(study)
    pruned = []
    for value in (50.0, 40.0, 60.0, 30.0):
        claim = claimed(storage, study)
        claim.draw()
        pruned.append(claim.report(1, value))
        claim.end(Ending("pruned", (), "after epoch 1") if pruned[-1] else Ending("complete", (value,)))
    assert pruned == [False, False, True, False]


def test_a_decision_to_prune_is_repeated_after_a_kill(tmp_path: Path, study: Study) -> None:
    """A worker killed between being told to prune and doing so."""
    storage = opened(tmp_path)
    storage.set_up(study)
    first = claimed(storage, study)
    first.draw()
    assert not first.report(1, 50.0)
    first.end(Ending("complete", (50.0,)))
    second = claimed(storage, study)
    second.draw()
    assert second.report(1, 40.0)
    abandoned(second)
    again = claimed(opened(tmp_path), study)
    assert again.number == second.number
    assert again.report(1, 40.0)


def test_what_another_process_has_ended_stays(tmp_path: Path, study: Study) -> None:
    """A worker that was cut off for so long that another resumed its trial."""
    storage, there = opened(tmp_path), opened(tmp_path)
    storage.set_up(study)
    slow = claimed(storage, study)
    slow.draw()
    abandoned(slow)
    claimed(there, study).end(Ending("complete", (2.0,)))
    storage.locks.acquire(f"{study.name}-0")
    slow.end(Ending("complete", (3.0,)))
    assert [trial.values for trial in storage.summary(study).trials] == [[2.0]]
