"""Studies in their storage: as many trials as are given, each ended once, and those left behind gone on with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench.suite.sweep import Parameter
from kdbench.tuning.locks import FileLocks
from kdbench.tuning.storage import Claim, Storage
from kdbench.tuning.study import Study, studies
from tests.support.paths import ROOT
from tests.support.sweeping import suite_of


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def opened(folder: Path) -> Storage:
    return Storage(str(folder / "sweep" / "studies.journal"), folder / "cache")


def trials_of(storage: Storage, study: Study) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study.name, storage=storage.storage).get_trials()


def taken(storage: Storage, study: Study) -> Claim:
    claim = storage.claim(study)
    assert claim is not None
    return claim


def left(claim: Claim) -> None:
    """As if its process had died: the lock is free, the trial still runs."""
    claim._storage.locks.give_back(f"{claim.study.name}-{claim.number}")


def value_of(params: dict[str, Any]) -> float:
    return float(100 - abs(params["train.lr"] - 0.03) * 500 - abs(params["strategy.C"] - 0.7) * 50)


def conducted(storage: Storage, study: Study) -> None:
    """All its trials in this process, worth something that follows from their parameters."""
    storage.set_up(study)
    while (claim := storage.claim(study)) is not None:
        claim.end("complete", [value_of(claim.draw())], seconds=1.0, best_epoch=2)


def test_only_one_file_imports_optuna() -> None:
    """And it does so when it is needed."""
    files = [*(ROOT / "kdbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    found = {path for path in files if re.search(r"^\s*(import|from) optuna", path.read_text(), re.MULTILINE)}
    assert found == {ROOT / "kdbench/tuning/storage.py"}
    (path,) = found
    at_the_top = re.findall(r"^(?:import|from) optuna", path.read_text(), re.MULTILINE)
    assert at_the_top == []


def test_all_trials_wait_from_the_beginning(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    assert storage.counts(study) == {}
    storage.set_up(study)
    assert storage.counts(study) == {"waiting": 4}
    opened(tmp_path).set_up(study)
    assert opened(tmp_path).counts(study) == {"waiting": 4}


def test_a_set_up_that_was_cut_short_is_completed(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    optuna.create_study(study_name=study.name, storage=storage.storage, direction="maximize").enqueue_trial({})
    assert storage.counts(study) == {"waiting": 1}
    storage.set_up(study)
    assert storage.counts(study) == {"waiting": 4}


def test_there_are_never_more_trials_than_given(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    conducted(storage, study)
    assert storage.claim(study) is None
    conducted(opened(tmp_path), study)
    assert opened(tmp_path).claim(study) is None
    found = trials_of(storage, study)
    assert [trial.number for trial in found] == [0, 1, 2, 3]
    assert {trial.state for trial in found} == {optuna.trial.TrialState.COMPLETE}


def test_parameters_are_of_the_space(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    for _ in range(4):
        params = taken(storage, study).draw()
        assert list(params) == ["train.lr", "train.distill", "objective[1].coefficient", "strategy.C"]
        assert 1e-3 <= params["train.lr"] <= 1e-1
        assert params["train.distill"] in (0.3, 1.0, 3.0)
        assert 0.5 <= params["strategy.C"] <= 1


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_first_trial_has_the_suites_own_parameters(tmp_path: Path, study: Study, sampler: str) -> None:
    """As far as they are in the space; what is not is drawn."""
    narrow = [one if one["path"] != "strategy.C" else {**one, "low": 0.8} for one in study.space]
    found = replace(study, space=narrow, settings={**study.settings, "sampler": sampler})
    storage = opened(tmp_path)
    storage.set_up(found)
    own = taken(storage, found).draw()
    assert found.spec["strategy"]["params"]["C"] < 0.8 <= own.pop("strategy.C")
    assert own == {"train.lr": 0.02, "train.distill": 1.0, "objective[1].coefficient": 0.5}
    assert taken(storage, found).draw()["train.lr"] != 0.02


def test_choices_come_back_as_they_were_given(tmp_path: Path, study: Study) -> None:
    """Lists and maps, too, which storages know nothing of; and 1 is not true."""
    choices: list[Any] = [{"layers": [1, 2]}, [3], None, "1", 1, True]
    space = [Parameter(path="student.config", kind="choice", choices=choices).model_dump()]
    many = replace(study, space=space, settings={**study.settings, "trials": 40, "sampler": "random"})
    storage = opened(tmp_path)
    storage.set_up(many)
    found = []
    while (claim := storage.claim(many)) is not None:
        found.append(claim.draw()["student.config"])
        claim.end("complete", [1.0])
    assert {json.dumps(one) for one in found} == {json.dumps(one) for one in choices}
    assert [trial.params["student.config"] for trial in storage.summary(many).trials] == found


def test_nobody_takes_a_trial_that_somebody_is_on(tmp_path: Path, study: Study) -> None:
    here, there = opened(tmp_path), opened(tmp_path)
    here.set_up(study)
    numbers = [taken(one, study).number for one in (here, there, here, there)]
    assert sorted(numbers) == [0, 1, 2, 3]
    assert here.claim(study) is None
    assert there.claim(study) is None
    assert not there.claimable(study)
    assert there.counts(study) == {"running": 4}


def test_a_trial_that_was_left_is_gone_on_with_first(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    claim = taken(storage, study)
    params, id = claim.draw(), claim.id
    claim.report(1, 12.5)
    left(claim)
    there = opened(tmp_path)
    assert there.claimable(study)
    again = taken(there, study)
    assert (again.number, again.draw(), again.id) == (0, params, id)
    again.report(1, 12.5)
    again.report(2, 14.0)
    assert trials_of(there, study)[0].intermediate_values == {1: 12.5, 2: 14.0}
    again.end("complete", [14.0])
    assert taken(there, study).number == 1


def test_a_trial_that_ends_while_it_is_looked_at_is_not_taken_up_again(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran when it was looked up, and nobody holds its lock any more: its work is done nonetheless."""
    here, there = opened(tmp_path), opened(tmp_path)
    here.set_up(study)
    claim = taken(here, study)
    claim.draw()
    look = there._trials

    def slow(of: Study, *states: str) -> list[Any]:
        found = list(look(of, *states))
        if found and states == ("RUNNING",) and look(of, *states):
            claim.end("complete", [1.0])
        return found

    monkeypatch.setattr(there, "_trials", slow)
    assert there.claimable(study)  # the next one waits
    assert taken(there, study).number == 1
    assert there.counts(study) == {"complete": 1, "running": 1, "waiting": 2}


def test_a_trial_left_between_two_parameters_draws_the_rest_as_it_would_have(tmp_path: Path, study: Study) -> None:
    calm = opened(tmp_path / "calm")
    calm.set_up(study)
    expected = taken(calm, study).draw()
    storage = opened(tmp_path)
    storage.set_up(study)
    claim = taken(storage, study)
    short = replace(study, space=study.space[:2])
    claim.study = short
    object.__setattr__(short, "digest", study.digest)
    assert list(claim.draw()) == list(expected)[:2]
    claim.study = study
    left(claim)
    assert taken(storage, study).draw() == expected


@given(st.lists(st.sampled_from(["end", "leave", "diverge", "fail", "reopen"]), max_size=30))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_there_are_as_many_trials_as_given(
    tmp_path_factory: pytest.TempPathFactory, study: Study, events: list[str]
) -> None:
    """And what has ended stays as it ended."""
    folder = tmp_path_factory.mktemp("sweep")
    storage = opened(folder)
    storage.set_up(study)
    ended: dict[int, str] = {}
    for event in events:
        if event == "reopen":
            storage = opened(folder)
            storage.set_up(study)
            continue
        claim = storage.claim(study)
        if claim is None:
            break
        assert claim.number not in ended
        claim.draw()
        if event == "leave":
            left(claim)
            continue
        state: Any = {"end": "complete", "diverge": "diverged", "fail": "failed"}[event]
        claim.end(state, [1.0] if event == "end" else None, "so it was")
        ended[claim.number] = state
    assert sum(storage.counts(study).values()) == 4
    assert {trial.number: trial.state for trial in storage.summary(study).trials} == ended
    conducted(storage, study)
    summary = opened(folder).summary(study)
    assert [trial.number for trial in summary.trials] == [0, 1, 2, 3]
    assert {number: summary.trials[number].state for number in ended} == ended


def test_one_worker_draws_the_same_every_time(tmp_path: Path, study: Study) -> None:
    """Whatever it was killed on in between; another seed draws others."""
    many = replace(study, settings={**study.settings, "trials": 9, "startup": 3})
    calm, killed, other = (opened(tmp_path / name) for name in ("calm", "killed", "other"))
    conducted(calm, many)
    killed.set_up(many)
    for number in range(9):
        for _ in range(number % 3):
            claim = taken(killed, many)
            claim.draw()
            left(claim)
            killed = opened(tmp_path / "killed")
        claim = taken(killed, many)
        claim.end("complete", [value_of(claim.draw())])
    drawn = [[trial.params for trial in storage.summary(many).trials] for storage in (calm, killed)]
    assert drawn[0] == drawn[1]
    again = replace(many, settings={**many.settings, "seed": 1})
    conducted(other, again)
    first, *others = [trial.params for trial in other.summary(again).trials]
    assert first == drawn[0][0]
    assert not any(params in drawn[0] for params in others)


def test_tpe_finds_more_than_chance(tmp_path: Path, study: Study) -> None:
    """Or it would not have been told of what the trials before were worth."""
    means = {}
    for sampler in ("tpe", "random"):
        many = replace(study, settings={**study.settings, "trials": 40, "sampler": sampler, "startup": 8})
        storage = opened(tmp_path / sampler)
        conducted(storage, many)
        last = [trial.values[0] for trial in storage.summary(many).trials[20:]]
        means[sampler] = sum(last) / len(last)
    assert means["tpe"] > means["random"] + 3


def test_pruning_by_what_others_had_at_the_same_epoch(tmp_path: Path, study: Study) -> None:
    """η is 3: the first, and a better one, go on; what comes after both and is worse does not. Never after the last epoch."""
    storage = opened(tmp_path)
    storage.set_up(study)
    reports = {0: [50.0, 51.0, 52.0], 1: [60.0, 61.0, 62.0], 2: [40.0], 3: [70.0, 5.0, 5.0]}
    pruned: dict[int, list[bool]] = {}
    for number, values in reports.items():
        claim = taken(storage, study)
        claim.draw()
        pruned[number] = [claim.report(epoch, value) for epoch, value in enumerate(values, start=1)]
        claim.end("pruned" if pruned[number][-1] else "complete", None if pruned[number][-1] else [values[-1]], "after epoch 1")
    assert pruned == {0: [False] * 3, 1: [False] * 3, 2: [True], 3: [False] * 3}
    assert storage.counts(study) == {"complete": 3, "pruned": 1}
    assert storage.summary(study).trials[2].epochs == {1: 40.0}


def test_a_decision_that_was_not_written_is_taken_again(tmp_path: Path, study: Study) -> None:
    """A worker killed between being told to prune and doing so."""
    storage = opened(tmp_path)
    storage.set_up(study)
    first = taken(storage, study)
    first.draw()
    assert not first.report(1, 50.0)
    first.end("complete", [50.0])
    second = taken(storage, study)
    second.draw()
    assert second.report(1, 40.0)
    left(second)
    again = taken(opened(tmp_path), study)
    assert again.number == second.number
    assert again.report(1, 40.0)


def test_a_worker_that_dies_twice_on_a_trial_has_it_failed(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    for failed in (False, True):
        claim = taken(storage, study)
        assert claim.number == 0
        claim.draw()
        left(claim)
        assert storage.crashed(study, 0, "SIGSEGV") == failed
    assert taken(storage, study).number == 1
    (trial,) = storage.summary(study).trials
    assert (trial.state, trial.reason) == ("failed", "SIGSEGV")
    assert trial.params


def test_a_crash_of_a_trial_that_others_have_taken_up_is_theirs(tmp_path: Path, study: Study) -> None:
    storage, there = opened(tmp_path), opened(tmp_path)
    storage.set_up(study)
    claim = taken(there, study)
    assert not storage.crashed(study, 0, "SIGSEGV")
    claim.end("complete", [1.0])
    assert not storage.crashed(study, 0, "SIGSEGV")
    assert there.summary(study).trials[0].state == "complete"


def test_what_was_ended_by_somebody_else_stays(tmp_path: Path, study: Study) -> None:
    """A worker that was cut off for so long that another took its trial for left."""
    storage, there = opened(tmp_path), opened(tmp_path)
    storage.set_up(study)
    slow = taken(storage, study)
    slow.draw()
    left(slow)
    taken(there, study).end("complete", [2.0])
    storage.locks.take(f"{study.name}-0")
    slow.end("complete", [3.0])
    assert [trial.values for trial in storage.summary(study).trials] == [[2.0]]


def test_the_summary_says_what_is_known(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    assert (storage.summary(study).trials, storage.summary(study).best) == ([], None)
    conducted(storage, study)
    summary = storage.summary(study)
    assert (summary.study, summary.label, summary.split) == (study.name, "toy · a+b · ammkd", "validation")
    assert (summary.goals, summary.directions) == (["mean_recall"], ["maximize"])
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
        claim = taken(storage, study)
        claim.draw()
        claim.end("complete", [value])
    assert storage.summary(study).best == 1


def test_what_matters_is_told_from_what_does_not(tmp_path: Path, study: Study) -> None:
    many = replace(study, settings={**study.settings, "trials": 30, "sampler": "random"})
    storage = opened(tmp_path)
    conducted(storage, many)
    importance = storage.summary(many).importance
    assert importance["train.distill"] < importance["train.lr"] > importance["objective[1].coefficient"]


def test_several_objectives_have_a_pareto_set(tmp_path: Path) -> None:
    """And are not pruned. Against the definition: no other trial is as good in all and better in one."""
    edit = ("trials: 4", "trials: 12\n  objectives: [mean_recall, flops]\n  student: {width: [2, 4, 8, 16]}")
    study = studies(suite_of(tmp_path, edit))[0]
    storage = opened(tmp_path)
    storage.set_up(study)
    while (claim := storage.claim(study)) is not None:
        params = claim.draw()
        assert not claim.report(1, -float(claim.number))
        claim.end("complete", [round(params["train.lr"] * 30) + params["student.width"] % 5, float(params["student.width"])])
    summary = storage.summary(study)
    assert summary.directions == ["maximize", "minimize"]
    points = {trial.number: trial.values for trial in summary.trials}
    assert len(points) == 12

    def beaten(one: list[float]) -> bool:
        return any(other != one and other[0] >= one[0] and other[1] <= one[1] for other in points.values())

    assert summary.pareto == [number for number, values in points.items() if not beaten(values)]
    assert 0 < len(summary.pareto) < 12
    assert summary.best is None


def test_a_line_left_half_written_is_cut_off(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    path = tmp_path / "sweep" / "studies.journal"
    with path.open("a") as stream:
        stream.write('{"op_code": 4, "work')
    again = opened(tmp_path)
    assert again.counts(study) == {"waiting": 4}
    conducted(again, study)
    assert opened(tmp_path).counts(study) == {"complete": 4}
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_database_serves_as_well(tmp_path: Path, study: Study) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    here, there = Storage(url, tmp_path / "cache"), Storage(url, tmp_path / "cache")
    assert isinstance(here.locks, FileLocks)
    here.set_up(study)
    claim = taken(here, study)
    params = claim.draw()
    assert taken(there, study).number == 1
    left(claim)
    assert taken(there, study).draw() == params
    assert there.counts(study) == {"running": 2, "waiting": 2}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/none", "cannot be opened"),
        ("sqlite:////no/such/folder/studies.db", "unable to open database file"),
        ("nosuch://somewhere/x", "nosuch"),
    ],
)
def test_a_storage_that_cannot_be_opened(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(KdbenchError, match=said) as raised:
        Storage(place, tmp_path)
    assert str(raised.value).startswith("--storage ")
    assert "secret" not in str(raised.value)
