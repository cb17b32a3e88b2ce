"""Studies conducted with real worker processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError
from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.messages import Crashed, Signalled, TrialEnded
from kdbench.engines.tuner import Tuner
from kdbench.errors import KdbenchWarning
from kdbench.records.study_summary import read_summary, study_path
from kdbench.suite.study import Study, studies
from kdbench.suite.sweep import Parameter
from kdbench.tuning.ending import Ending
from kdbench_plugins.engines.in_process import InProcess
from kdbench_plugins.engines.local import Local
from tests.support.paths import ROOT
from tests.support.sweeping import install, suite_of, with_settings
from tests.support.toys import plugged, toy_plugins

Distribution = Callable[[str, str], Path]


def tuner_in(folder: Path, jobs: int = 2, engine: Engine | None = None, **changes: Any) -> Tuner:
    site = Site(folder / "results", folder / "cache", "cpu", jobs)
    return Tuner(site, engine or Local(), str(folder / "results/toys/sweep/studies.journal"), **changes)


def slow(folder: Path, **params: Any) -> Study:
    """The study of a team under `slow`, whose plugin only other processes have."""
    study = studies(suite_of(folder))[1]
    return study.replace(spec=study.spec.replace(strategy=plugged("slow", notes=str(folder / "notes"), **params)))


def test_studies_are_conducted_to_their_end_and_never_again(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    todo = studies(suite_of(tmp_path))
    heard: list[tuple[Study, Event]] = []
    tuner = tuner_in(tmp_path, listener=lambda study, event: heard.append((study, event)))
    found = tuner.tune(todo)
    assert [summary.study for summary in found] == [study.name for study in todo]
    for summary in found:
        assert [trial.number for trial in summary.trials] == [0, 1, 2, 3]
        assert summary == read_summary(study_path(tmp_path / "results", "toys", summary.study))
    ended = [(study.name, event.number) for study, event in heard if isinstance(event, TrialEnded)]
    assert sorted(ended) == sorted((study.name, number) for study in todo for number in range(4))
    assert not list((tmp_path / "results/toys").glob("*.json"))  # no record

    def refuse(*_: object) -> None:
        raise AssertionError("something was begun")

    monkeypatch.setattr(Local, "execute", refuse)
    monkeypatch.setattr("kdbench.engines.tuner.Storage", refuse)
    assert tuner_in(tmp_path).tune(todo) == found  # the summaries are enough, without the storage


def test_two_processes_draw_the_same_as_one_where_there_are_two_studies(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    monkeypatch.setattr("kdbench.plugins.loading.installed", toy_plugins)
    todo = studies(suite_of(tmp_path))[:2]
    drawn = []
    for engine in (InProcess(), Local()):
        found = tuner_in(tmp_path / type(engine).__name__, engine=engine).tune(todo)
        drawn.append([[(trial.params, trial.values, trial.state) for trial in summary.trials] for summary in found])
    assert drawn[0] == drawn[1]


def test_a_trial_that_kills_its_workers_fails_and_the_others_go_on(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    study = studies(suite_of(tmp_path))[1]
    # Without notes, whose path would be in the digest, and so decide what is drawn.
    spec = study.spec.replace(strategy=plugged("slow", fatal=False))
    space = (Parameter(path="strategy.fatal", kind="choice", choices=[False, True]),)
    fatal = with_settings(study.replace(spec=spec, space=space), sampler="random", seed=6, trials=3)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        (summary,) = tuner_in(tmp_path, jobs=1).tune([fatal])
    states = {trial.params["strategy.fatal"]: trial.state for trial in summary.trials}
    assert states == {False: "complete", True: "failed"}
    assert [(trial.number, trial.params["strategy.fatal"]) for trial in summary.trials] == [(0, False), (1, True), (2, False)]
    failed = [trial for trial in summary.trials if trial.state == "failed"]
    assert {trial.reason for trial in failed} == {str(Signalled(signal="SIGKILL"))}
    said = [str(warning.message) for warning in heard if issubclass(warning.category, KdbenchWarning)]
    for trial in failed:
        ends = [text.rpartition("; ")[2] for text in said if f"trial {trial.number}:" in text]
        assert ends == ["it resumes from its checkpoint", "it has failed"]


def test_a_crash_without_a_trial_is_no_error_once_trials_have_ended(tmp_path: Path) -> None:
    """Such as a worker that dies between two trials: the next round claims the rest."""
    study = studies(suite_of(tmp_path))[0]

    class Faltering:
        """Ends one trial a round, then crashes."""

        def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:  # noqa: ARG002
            trial = tuner.opened.claim(study)
            assert trial is not None
            params = trial.draw()
            trial.end(Ending("complete", (1.0,)))
            ended = TrialEnded(number=trial.number, id=trial.id, params=params, state="complete", values=(1.0,), seconds=1.0)
            on_event(work[-1], ended)
            on_event(work[-1], Crashed(reason=Signalled(signal="SIGKILL")))

    tuner = tuner_in(tmp_path)
    tuner.engine = Faltering()
    (summary,) = tuner.tune([study])
    assert [trial.state for trial in summary.trials] == ["complete"] * 4


def test_workers_that_die_at_once_are_an_error_and_no_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('torch is broken here')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}:{ROOT}")
    with pytest.raises(KdbenchError, match=r"died .*before it claimed a trial[\s\S]*torch is broken here"):
        tuner_in(tmp_path, jobs=1).tune([slow(tmp_path)])


def test_it_waits_for_trials_of_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And writes the summary when the last one has ended."""
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
        claim.end(Ending("complete", (1.0,)))

    monkeypatch.setattr("kdbench.engines.tuner.time.sleep", wait)
    (summary,) = tuner_in(tmp_path).tune([study])
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
        claim.end(Ending("complete", (1.0, float(params["student.width"]))))
    (summary,) = tuner.tune([study])
    path = study_path(tmp_path / "results", "toys", study.name).with_suffix(".pareto.json")
    found = json.loads(path.read_text())
    assert found["goals"] == ["mean_recall", "flops"]
    least = min(trial.values[1] for trial in summary.trials)
    assert [one["trial"] for one in found["configurations"]] == summary.pareto
    assert {one["values"]["flops"] for one in found["configurations"]} == {least}
    assert all(one["params"]["student.width"] == least for one in found["configurations"])
