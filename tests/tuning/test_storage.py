"""Studies in their storage: as many trials as settings say, each ended once, and abandoned ones resumed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.errors import KdbenchError
from kdbench.records.parts import Part
from kdbench.records.study_summary import read_summary, write_summary
from kdbench.suite.study import Study, studies
from kdbench.tuning.ending import Ending
from tests.support.paths import ROOT
from tests.support.sweeping import abandoned, claimed, conducted, opened, suite_of, trials_of


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials."""
    return studies(suite_of(tmp_path))[2]


def test_only_tuning_imports_optuna() -> None:
    """And it does so when it is needed."""
    files = [*(ROOT / "kdbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    found = {path for path in files if re.search(r"^\s*(import|from) optuna", path.read_text(), re.MULTILINE)}
    assert {path.parent for path in found} == {ROOT / "kdbench/tuning"}
    at_the_top = [path for path in found if re.search(r"^(import|from) optuna", path.read_text(), re.MULTILINE)]
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
    optuna.create_study(study_name=study.name, storage=storage.backend, direction="maximize").enqueue_trial({})
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


def test_a_trial_that_runs_is_not_claimed_again(tmp_path: Path, study: Study) -> None:
    here, there = opened(tmp_path), opened(tmp_path)
    here.set_up(study)
    numbers = [claimed(one, study).number for one in (here, there, here, there)]
    assert sorted(numbers) == [0, 1, 2, 3]
    assert here.claim(study) is None
    assert there.claim(study) is None
    assert not there.claimable(study)
    assert there.counts(study) == {"running": 4}


def test_an_abandoned_trial_resumes_first(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    claim = claimed(storage, study)
    params, id = claim.draw(), claim.id
    claim.report(1, 12.5)
    abandoned(claim)
    there = opened(tmp_path)
    assert there.claimable(study)
    again = claimed(there, study)
    assert (again.number, again.draw(), again.id) == (0, params, id)
    again.report(1, 12.5)
    again.report(2, 14.0)
    assert trials_of(there, study)[0].intermediate_values == {1: 12.5, 2: 14.0}
    again.end(Ending("complete", (14.0,)))
    assert claimed(there, study).number == 1


def test_a_trial_that_ends_while_it_is_looked_up_is_not_claimed_again(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran when it was looked up, and its lock is free again: it is done nonetheless."""
    here, there = opened(tmp_path), opened(tmp_path)
    here.set_up(study)
    claim = claimed(here, study)
    claim.draw()
    look = there._trials

    def slow(of: Study, *states: str) -> list[Any]:
        found = list(look(of, *states))
        if found and states == ("RUNNING",) and look(of, *states):
            claim.end(Ending("complete", (1.0,)))
        return found

    monkeypatch.setattr(there, "_trials", slow)
    assert there.claimable(study)  # the next one waits
    assert claimed(there, study).number == 1
    assert there.counts(study) == {"complete": 1, "running": 1, "waiting": 2}


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
            abandoned(claim)
            continue
        state: Any = {"end": "complete", "diverge": "diverged", "fail": "failed"}[event]
        claim.end(Ending(state, (1.0,) if event == "end" else (), "so it was"))
        ended[claim.number] = state
    assert sum(storage.counts(study).values()) == 4
    assert {trial.number: trial.state for trial in storage.summary(study).trials} == ended
    conducted(storage, study)
    summary = opened(folder).summary(study)
    assert [trial.number for trial in summary.trials] == [0, 1, 2, 3]
    assert {number: summary.trials[number].state for number in ended} == ended


def test_a_worker_that_dies_twice_on_a_trial_has_it_failed(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    storage.set_up(study)
    for failed in (False, True):
        claim = claimed(storage, study)
        assert claim.number == 0
        claim.draw()
        abandoned(claim)
        assert storage.crashed(study, 0, "SIGSEGV") == failed
    assert claimed(storage, study).number == 1
    (trial,) = storage.summary(study).trials
    assert (trial.state, trial.reason) == ("failed", "SIGSEGV")
    assert trial.params


def test_a_crash_of_a_trial_that_others_have_claimed_is_theirs(tmp_path: Path, study: Study) -> None:
    storage, there = opened(tmp_path), opened(tmp_path)
    storage.set_up(study)
    claim = claimed(there, study)
    assert not storage.crashed(study, 0, "SIGSEGV")
    claim.end(Ending("complete", (1.0,)))
    assert not storage.crashed(study, 0, "SIGSEGV")
    assert there.summary(study).trials[0].state == "complete"


def parts(content: str, code: str = "c" * 64) -> dict[str, Part]:
    return {"teacher a": Part(package="kdbench-mine", version="1", code=code, content=content * 64)}


def test_a_study_compares_trials_of_one_code_and_content_only(tmp_path: Path, study: Study) -> None:
    opened(tmp_path).set_up(study, parts("a"))
    opened(tmp_path).set_up(study, parts("a"))
    opened(tmp_path).set_up(study)  # nothing is known
    for other, what in ((parts("b"), "its files have changed"), (parts("a", "d" * 64), "the code of kdbench-mine has changed")):
        with pytest.raises(KdbenchError, match=f"teacher a: {what}.* since its trials began"):
            opened(tmp_path).set_up(study, other)
    assert opened(tmp_path).summary(study).parts == parts("a")


def test_the_parts_of_a_study_are_kept_in_its_file(tmp_path: Path, study: Study) -> None:
    storage = opened(tmp_path)
    conducted(storage, study)
    without = read_summary(write_summary(tmp_path, storage.summary(study)))
    assert "parts" not in without.model_dump()
    storage.set_up(study, parts("a"))
    assert read_summary(write_summary(tmp_path, storage.summary(study))).parts == parts("a")
