"""What a worker does with a study: claims, trains, validates, tells."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError, Offer, Signal, Skip
from kdbench.engines.tasks import Event, Executor
from kdbench.runs.execute import execute
from kdbench.suite.sweep import Pruner
from kdbench.tuning.serve import serve
from kdbench.tuning.storage import Storage, StorageLost
from kdbench.tuning.study import Study, studies
from tests.support.sweeping import suite_of
from tests.support.toys import bench, plugged


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of `ammkd`, four trials, none pruned."""
    return studies(suite_of(tmp_path, ("trials: 4", "trials: 4\n  pruner: none")))[2]


def opened(folder: Path) -> Storage:
    return Storage(str(folder / "sweep" / "studies.journal"), folder / "cache")


def served(study: Study, folder: Path, **extra: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    storage = opened(folder)
    storage.set_up(study)
    serve(study, storage, bench(folder, **extra), told.append)
    return told


def test_every_trial_is_told_and_worth_what_its_run_validates_to(tmp_path: Path, study: Study) -> None:
    told = served(study, tmp_path)
    assert [(event["event"], event["number"]) for event in told] == [
        (kind, number) for number in range(4) for kind in ("trial", "trial_ended")
    ]
    summary = opened(tmp_path).summary(study)
    where = bench(tmp_path)
    for trial, event in zip(summary.trials, told[1::2], strict=True):
        record = execute(study.run(trial.params), where)
        assert trial.values == event["values"] == [record.validation["mean_recall"]]
        assert trial.best_epoch == record.best_epoch
        assert list(trial.epochs) == [1, 2, 3]
        assert trial.epochs[trial.best_epoch or 0] == trial.values[0]
        assert (trial.state, event["params"]) == ("complete", trial.params)
        assert trial.seconds
    assert not list((tmp_path / "cache" / "scratch").glob("trial-*"))


def test_another_metric_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    study = studies(suite_of(tmp_path, ("trials: 4", "trials: 1\n  metric: image_retrieval_recall@5")))[2]
    served(study, tmp_path)
    (trial,) = opened(tmp_path).summary(study).trials
    record = execute(study.run(trial.params), bench(tmp_path))
    assert trial.values == [record.validation["image_retrieval_recall@5"]]


def test_trials_are_pruned_at_epoch_ends(tmp_path: Path, study: Study) -> None:
    """Most of a dozen, and none of them was better at its last epoch than all that went on."""
    pruner = Pruner(reduction_factor=2).model_dump()
    many = replace(study, settings={**study.settings, "trials": 12, "pruner": pruner})
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
            raise {"skip": Skip("no GPU"), "mend": KdbenchError("mend me"), "bug": ZeroDivisionError("by zero")}[self.knob]
        return signal.losses.new_full((len(signal.teachers),), 0.5)


def broken_study(study: Study, knobs: list[str]) -> Study:
    space = [{"path": "strategy.knob", "kind": "choice", "choices": knobs}]
    settings = {**study.settings, "trials": 12, "sampler": "random"}
    spec = {**study.spec, "strategy": plugged("broken", knob="fine")}
    return replace(study, spec=spec, space=space, settings=settings)


def test_trials_that_fail_are_recorded_with_the_reason_and_count(
    tmp_path: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    several = broken_study(study, ["fine", "skip", "mend", "bug"])
    told = served(several, tmp_path, strategies=[Offer("broken", Broken)])
    reasons = {"fine": "", "skip": "no GPU", "mend": "mend me", "bug": "ZeroDivisionError: by zero"}
    trials = opened(tmp_path).summary(several).trials
    assert len(trials) == 12
    assert {trial.params["strategy.knob"] for trial in trials} == set(reasons)
    for trial in trials:
        knob = trial.params["strategy.knob"]
        assert (trial.state, trial.reason) == ("complete" if knob == "fine" else "failed", reasons[knob])
    assert [event["state"] for event in told[1::2]] == [trial.state for trial in trials]
    assert "Traceback" in capsys.readouterr().err
    assert opened(tmp_path).counts(several)["failed"] == sum(trial.state == "failed" for trial in trials)


def test_a_storage_that_is_lost_costs_the_worker_and_not_the_trial(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was none of the trial's doing: it waits, with its checkpoint, for the next worker."""
    import optuna

    def lost(*_: object) -> None:
        raise OSError("the server is gone")

    monkeypatch.setattr(optuna.Trial, "report", lost)
    with pytest.raises(StorageLost, match="OSError: the server is gone"):
        served(study, tmp_path)
    storage = opened(tmp_path)
    assert storage.counts(study) == {"running": 1, "waiting": 3}
    assert list((tmp_path / "cache/scratch").glob("trial-*/checkpoint.safetensors"))


def test_trials_that_diverge_are_told_from_those_that_fail(tmp_path: Path, study: Study) -> None:
    poisoned = {"name": "toy", "use": "toy", "params": {"width": 8, "poisoned": True}}
    diverging = replace(study, spec={**study.spec, "student": poisoned})
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
    events: list[Event] = []
    opened(tmp_path).set_up(study)
    with warnings.catch_warnings():
        worker = Executor({"results": str(tmp_path), "cache": str(tmp_path / "cache"), "device": "cpu"}, events.append)
        worker.bench = replace(worker.bench, plugins=bench(tmp_path).plugins)
        worker.serve(
            {
                "task": "study",
                "study": json.loads(json.dumps(study.as_dict())),
                "storage": str(tmp_path / "sweep" / "studies.journal"),
            }
        )
    assert [event["number"] for event in events if event["event"] == "trial_ended"] == [0, 1, 2, 3]
    assert {event["run_id"] for event in events if event["event"] == "epoch"} == {
        event["id"] for event in events if event["event"] == "trial"
    }
    assert events[-1] == {"event": "done"}
    assert opened(tmp_path).counts(study) == {"complete": 4}
