"""What a worker does with a study: it claims trials, trains, validates, reports."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError, Offer, Signal, Skip
from kdbench.contracts import Site
from kdbench.engines.executor import Executor
from kdbench.engines.messages import WORK, AnyEvent, Done, EpochFinished, ServeStudy, TrialEnded, TrialStarted
from kdbench.runs.execute import execute
from kdbench.suite.study import Study, studies
from kdbench.suite.sweep import Parameter, Pruner
from kdbench.tuning.claimed_trial import ClaimedTrial, StorageLost
from kdbench.tuning.ending import Ending
from kdbench.tuning.trials import execute_trial
from tests.support.sweeping import opened, suite_of, with_settings
from tests.support.toys import plugged, run_context


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials, none pruned."""
    return studies(suite_of(tmp_path, ("trials: 4", "trials: 4\n  pruner: none")))[2]


@dataclass
class Reported:
    """What a worker reported: number and parameters at the start, number and ending at the end of each trial."""

    order: list[tuple[str, int]] = field(default_factory=list)
    params: list[dict[str, Any]] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def on_start(self, trial: ClaimedTrial) -> None:
        self.order.append(("start", trial.number))
        self.params.append(trial.params)

    def on_end(self, trial: ClaimedTrial, ending: Ending) -> None:
        self.order.append(("end", trial.number))
        self.endings.append(ending)


def served(study: Study, folder: Path, **extra: Any) -> Reported:
    reported = Reported()
    storage = opened(folder)
    storage.set_up(study)
    context = run_context(folder, **extra)
    while execute_trial(study, storage, context, reported.on_start, reported.on_end):
        pass
    return reported


def test_every_trial_is_reported_and_has_the_value_of_its_run(tmp_path: Path, study: Study) -> None:
    reported = served(study, tmp_path)
    assert reported.order == [(kind, number) for number in range(4) for kind in ("start", "end")]
    summary = opened(tmp_path).summary(study)
    context = run_context(tmp_path)
    for trial, params, ending in zip(summary.trials, reported.params, reported.endings, strict=True):
        record = execute(study.run(trial.params), context)
        assert trial.values == list(ending.values) == [record.validation["rsum"]]
        assert trial.best_epoch == record.best_epoch
        assert list(trial.epochs) == [1, 2, 3]
        assert trial.epochs[trial.best_epoch or 0] == trial.values[0]
        assert (trial.state, params) == ("complete", trial.params)
        assert trial.seconds == ending.seconds > 0
    assert not list((tmp_path / "cache" / "scratch").glob("trial-*"))


def test_another_metric_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    study = studies(suite_of(tmp_path, ("trials: 4", "trials: 1\n  metric: image_retrieval_recall@5")))[2]
    served(study, tmp_path)
    (trial,) = opened(tmp_path).summary(study).trials
    record = execute(study.run(trial.params), run_context(tmp_path))
    assert trial.values == [record.validation["image_retrieval_recall@5"]]


def test_trials_are_pruned_at_epoch_ends(tmp_path: Path, study: Study) -> None:
    """Most of a dozen, and none of them was better at its last epoch than all that went on."""
    pruner = Pruner(reduction_factor=2).model_dump()
    many = with_settings(study, trials=12, pruner=pruner)
    served(many, tmp_path)
    trials = opened(tmp_path).summary(many).trials
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert 3 <= len(pruned) <= 11
    assert sum(len(trial.epochs) for trial in trials) < 12 * 3
    for trial in pruned:
        last = max(trial.epochs)
        assert last < 3
        assert trial.reason == f"after epoch {last}"
        assert trial.values == []
        assert trial.epochs[last] < max(other.epochs.get(last, 0) for other in trials)


class Broken:
    """A strategy that goes wrong in the way its knob says."""

    def __init__(self, *, knob: str = "fine") -> None:
        self.knob = knob

    def weigh(self, signal: Signal) -> Any:
        if signal.batch.progress >= 0.5 and self.knob != "fine":
            raise {
                "skip": Skip("no GPU"),
                "mend": KdbenchError("mend me"),
                "bug": ZeroDivisionError("by zero"),
                "exit": SystemExit(3),
            }[self.knob]
        return signal.losses.new_full((len(signal.teachers),), 0.5)


def broken_study(study: Study, knobs: list[str]) -> Study:
    space = (Parameter(path="strategy.knob", kind="choice", choices=knobs),)
    spec = study.spec.replace(strategy=plugged("broken", knob="fine"))
    return with_settings(study.replace(spec=spec, space=space), trials=12, sampler="random")


def test_trials_that_fail_are_recorded_with_the_reason_and_count(
    tmp_path: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    several = broken_study(study, ["fine", "skip", "mend", "bug", "exit"])
    reported = served(several, tmp_path, strategies=[Offer("broken", Broken)])
    reasons = {"fine": "", "skip": "no GPU", "mend": "mend me", "bug": "ZeroDivisionError: by zero", "exit": "SystemExit: 3"}
    trials = opened(tmp_path).summary(several).trials
    assert len(trials) == 12
    assert {trial.params["strategy.knob"] for trial in trials} == set(reasons)
    for trial in trials:
        knob = trial.params["strategy.knob"]
        assert (trial.state, trial.reason) == ("complete" if knob == "fine" else "failed", reasons[knob])
    assert [(ending.state, ending.reason) for ending in reported.endings] == [(trial.state, trial.reason) for trial in trials]
    assert "Traceback" in capsys.readouterr().err
    assert opened(tmp_path).counts(several)["failed"] == sum(trial.state == "failed" for trial in trials)


def test_a_storage_that_is_lost_costs_the_worker_and_not_the_trial(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial has not failed: it waits, with its checkpoint, for the next worker."""
    import optuna

    def lost(*_: object) -> None:
        raise OSError("the server is gone")

    monkeypatch.setattr(optuna.Trial, "report", lost)
    with pytest.raises(StorageLost, match="OSError: the server is gone"):
        served(study, tmp_path)
    storage = opened(tmp_path)
    assert storage.counts(study) == {"running": 1, "waiting": 3}
    assert list((tmp_path / "cache/scratch").glob("trial-*/checkpoint.safetensors"))


def test_trials_that_diverge_are_not_those_that_fail(tmp_path: Path, study: Study) -> None:
    diverging = study.replace(spec=study.spec.replace(student=plugged("toy", width=8, poisoned=True)))
    served(diverging, tmp_path)
    storage = opened(tmp_path)
    assert {(trial.state, trial.reason) for trial in storage.summary(diverging).trials} == {
        ("diverged", "loss nan at step 1 of 12")
    }
    assert storage.counts(diverging) == {"diverged": 4}
    assert storage.summary(diverging).best is None


def test_several_objectives_are_of_the_student_that_was_trained(tmp_path: Path) -> None:
    edit = ("trials: 4", "trials: 6\n  objectives: [mean_recall, parameters, flops]\n  student: {width: [2, 8]}")
    study = studies(suite_of(tmp_path, edit))[0]
    served(study, tmp_path)
    trials = opened(tmp_path).summary(study).trials
    assert {trial.params["student.width"] for trial in trials} == {2, 8}
    for trial in trials:
        width = trial.params["student.width"]
        assert trial.values[1:] == [(108 + 1 + 18 + 1) * width + 1, 2 * (108 + 18) * width]
        assert trial.state == "complete"


def test_a_worker_serves_studies(tmp_path: Path, study: Study) -> None:
    events: list[AnyEvent] = []
    storage = opened(tmp_path)
    storage.set_up(study)
    work = ServeStudy(study=study, storage=str(tmp_path / "sweep" / "studies.journal"))
    with warnings.catch_warnings():
        worker = Executor(Site(tmp_path, tmp_path / "cache", "cpu"), events.append, run_context(tmp_path).plugins)
        worker.execute(WORK.validate_json(work.model_dump_json()))
    starts = [event for event in events if isinstance(event, TrialStarted)]
    ends = [event for event in events if isinstance(event, TrialEnded)]
    assert [event.number for event in starts] == [event.number for event in ends] == [0, 1, 2, 3]
    assert {event.run_id for event in events if isinstance(event, EpochFinished)} == {event.id for event in starts}
    trials = opened(tmp_path).summary(study).trials
    assert [(event.params, list(event.values), event.state) for event in ends] == [
        (trial.params, trial.values, "complete") for trial in trials
    ]
    assert events[-1] == Done()
    assert opened(tmp_path).counts(study) == {"complete": 4}
