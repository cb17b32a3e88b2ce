"""Studies conducted with real worker processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench.engines.tasks import Event
from kdbench.engines.tuner import Tuner
from kdbench.errors import KdbenchWarning
from kdbench.records.study_summary import read_summary, study_path
from kdbench.tuning.study import Study, studies
from tests.support.paths import ROOT
from tests.support.sweeping import install, suite_of

Distribution = Callable[[str, str], Path]


def tuner_in(folder: Path, **changes: Any) -> Tuner:
    fields: dict[str, Any] = {
        "results": folder / "results",
        "cache": folder / "cache",
        "storage": str(folder / "results/toys/sweep/studies.journal"),
        "device": "cpu",
        "jobs": 2,
    }
    return Tuner(**fields | changes)


def slow(folder: Path, **params: Any) -> Study:
    """The study of a team under `slow`, whose plugin only other processes have."""
    study = studies(suite_of(folder))[1]
    strategy = {"name": "slow", "use": "slow", "params": {"notes": str(folder / "notes"), **params}}
    return Study({**study.spec, "strategy": strategy}, study.space, study.settings)


def test_studies_are_conducted_to_their_end_and_never_again(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    todo = studies(suite_of(tmp_path))
    told: list[tuple[Study, Event]] = []
    tuner = tuner_in(tmp_path, listen=lambda study, event: told.append((study, event)))
    found = tuner.carry_out(todo)
    assert [summary.study for summary in found] == [study.name for study in todo]
    for summary in found:
        assert [trial.number for trial in summary.trials] == [0, 1, 2, 3]
        assert summary == read_summary(study_path(tmp_path / "results", "toys", summary.study))
    ended = [(study.name, event["number"]) for study, event in told if event["event"] == "trial_ended"]
    assert sorted(ended) == sorted((study.name, number) for study in todo for number in range(4))
    assert not list((tmp_path / "results/toys").glob("*.json"))  # no record

    def refuse(*_: object) -> None:
        raise AssertionError("something was begun")

    monkeypatch.setattr("kdbench.engines.choice.Where.made", refuse)
    monkeypatch.setattr("kdbench.engines.tuner.Storage", refuse)
    assert tuner_in(tmp_path).carry_out(todo) == found  # the summaries are enough, without the storage


def test_two_processes_draw_the_same_as_one_where_there_are_two_studies(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    todo = studies(suite_of(tmp_path))[:2]
    drawn = []
    for jobs in (1, 2):
        found = tuner_in(tmp_path / f"{jobs}", jobs=jobs).carry_out(todo)
        drawn.append([[(trial.params, trial.values, trial.state) for trial in summary.trials] for summary in found])
    assert drawn[0] == drawn[1]


def test_a_trial_that_kills_its_workers_fails_and_the_others_go_on(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    study = studies(suite_of(tmp_path))[1]
    # Without notes, whose path would be in the digest, and so decide what is drawn.
    spec = {**study.spec, "strategy": {"name": "slow", "use": "slow", "params": {"fatal": False}}}
    space = [{"path": "strategy.fatal", "kind": "choice", "choices": [False, True]}]
    fatal = Study(spec, space, {**study.settings, "sampler": "random", "seed": 3})
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        (summary,) = tuner_in(tmp_path, jobs=1).carry_out([fatal])
    states = {trial.params["strategy.fatal"]: trial.state for trial in summary.trials}
    assert states == {False: "complete", True: "failed"}
    assert [trial.number for trial in summary.trials] == [0, 1, 2, 3]
    failed = [trial for trial in summary.trials if trial.state == "failed"]
    assert all("SIGKILL" in trial.reason for trial in failed)
    said = [str(warning.message) for warning in heard if issubclass(warning.category, KdbenchWarning)]
    for trial in failed:
        ends = [text.rpartition("; ")[2] for text in said if f"trial {trial.number}:" in text]
        assert ends == ["it is gone on with", "it has failed"]


def test_workers_that_die_at_once_are_an_error_and_no_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('torch is broken here')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}:{ROOT}")
    with pytest.raises(KdbenchError, match=r"died .*before it took up a trial[\s\S]*torch is broken here"):
        tuner_in(tmp_path, jobs=1).carry_out([slow(tmp_path)])


def test_trials_that_others_are_on_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the summary is written by whoever sees the last one end."""
    study = slow(tmp_path)
    others = tuner_in(tmp_path).opened
    others.set_up(study)
    claims = [others.claim(study) for _ in range(4)]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        claim = claims.pop()
        assert claim is not None
        claim.draw()
        claim.end("complete", [1.0])

    monkeypatch.setattr("kdbench.engines.tuner.time.sleep", wait)
    (summary,) = tuner_in(tmp_path).carry_out([study])
    assert len(waits) == 4
    assert [trial.values for trial in summary.trials] == [[1.0]] * 4


def test_the_pareto_set_is_a_file(tmp_path: Path) -> None:
    import json

    edit = ("trials: 4", "trials: 4\n  objectives: [mean_recall, flops]\n  student: {width: [2, 4, 8]}")
    study = studies(suite_of(tmp_path, edit))[0]
    tuner = tuner_in(tmp_path)
    tuner.opened.set_up(study)
    while (claim := tuner.opened.claim(study)) is not None:
        params = claim.draw()
        claim.end("complete", [1.0, float(params["student.width"])])
    (summary,) = tuner.carry_out([study])
    path = study_path(tmp_path / "results", "toys", study.name).with_suffix(".pareto.json")
    found = json.loads(path.read_text())
    assert found["goals"] == ["mean_recall", "flops"]
    least = min(trial.values[1] for trial in summary.trials)
    assert [one["trial"] for one in found["configurations"]] == summary.pareto
    assert {one["values"]["flops"] for one in found["configurations"]} == {least}
    assert all(one["params"]["student.width"] == least for one in found["configurations"])
