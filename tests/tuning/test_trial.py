"""Trials: runs up to their evaluation on the test split, which they never see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench import Offer, Split, SplitName
from kdbench.runs.execute import execute
from kdbench.tuning.trial import Pruned, train_trial
from tests.support.toys import Beads, Count, plugged, run_context, run_spec


def silent(*_: object) -> None:
    """Prunes nothing."""


class Guarded(Beads):
    """Beads whose test split may be decoded, once, and not be touched again."""

    open = True

    def split(self, name: SplitName) -> Split:
        assert name != "test" or self.open, "the test split was touched"
        return super().split(name)


GUARDED: dict[str, Any] = {"datasets": [Offer("guarded", Guarded)]}


def test_a_trial_never_touches_the_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the source's, nor what the cache has of it. A run of the same spec does, and is found out."""
    spec, where = run_spec(dataset=plugged("guarded")), run_context(tmp_path, **GUARDED)
    assert where.open(where.task(spec.task), spec.dataset, "").digest  # decodes all splits
    monkeypatch.setattr(Guarded, "open", False)
    load, read = np.load, Path.read_text

    def guarded(file: Any, *arguments: Any, **options: Any) -> Any:
        assert not Path(file).name.startswith("test."), f"{file} was opened"
        return load(file, *arguments, **options)

    def also_guarded(file: Path, *arguments: Any, **options: Any) -> str:
        assert not file.name.startswith("test."), f"{file} was read"
        return read(file, *arguments, **options)

    monkeypatch.setattr(np, "load", guarded)
    monkeypatch.setattr(Path, "read_text", also_guarded)
    done = train_trial(spec, where, "t", silent, ["latency", "flops", "parameters"])
    assert done.validation["mean_recall"] > 0
    record = execute(spec, where)
    assert record.status == "failed"
    assert "test." in record.reason
    assert "was" in record.reason


def test_the_data_of_a_trial_has_no_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kdbench.tuning import trial

    def peeking(spec: Any, context: Any, task: Any, data: Any, id: str) -> Any:  # noqa: ARG001
        data.split("train")
        return data.split("test")

    monkeypatch.setattr(trial, "learn", peeking)
    with pytest.raises(AssertionError, match="a trial asked for the 'test' split"):
        train_trial(run_spec(), run_context(tmp_path), "t", silent)


def test_it_validates_as_the_run_does_and_writes_no_record(tmp_path: Path) -> None:
    spec = run_spec(strategy=plugged("ammkd", C=0.7))
    where = run_context(tmp_path / "trial")
    done = train_trial(spec, where, "t", silent)
    record = execute(spec, run_context(tmp_path / "run"))
    assert (done.validation, done.best_epoch) == (record.validation, record.best_epoch)
    assert done.costs == {}
    assert done.seconds > 0
    assert not where.results.exists()
    assert not list(where.cache.root.glob("students/*"))


def test_it_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    spec, where = run_spec(), run_context(tmp_path)
    heard: list[tuple[int, float]] = []

    def stop(epoch: int, metrics: dict[str, float]) -> None:
        heard.append((epoch, metrics["mean_recall"]))
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_trial(spec, where, "t", stop)
    again = train_trial(spec, where, "t", stop)
    calm = train_trial(spec, run_context(tmp_path / "calm"), "t", silent)
    assert [epoch for epoch, _ in heard] == [1, 2, 2, 3]
    assert heard[1] == heard[2]
    assert (again.validation, again.best_epoch) == (calm.validation, calm.best_epoch)


def test_on_epoch_may_end_it(tmp_path: Path) -> None:
    def prune(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise Pruned(f"{metrics['mean_recall'] > 0}")

    where = run_context(tmp_path)
    with pytest.raises(Pruned, match="True"):
        train_trial(run_spec(), where, "t", prune)


def test_costs_are_of_the_student_that_was_trained(tmp_path: Path) -> None:
    for width in (4, 9):
        spec = run_spec((), student=plugged("toy", width=width))
        done = train_trial(spec, run_context(tmp_path), f"t{width}", silent, ["parameters"])
        assert done.costs == {"parameters": (108 + 1 + 18 + 1) * width + 1}


def test_trials_share_what_teachers_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.toys import Projection

    counted = Count(Projection.encode)
    monkeypatch.setattr(Projection, "encode", lambda *arguments: counted(*arguments))
    where = run_context(tmp_path)
    for number, lr in enumerate((0.01, 0.02, 0.03)):
        train_trial(run_spec(train={"lr": lr}), where, f"t{number}", silent)
    assert counted.calls == 4  # two towers of two teachers, once
