"""How long the rest takes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from kdbench.cli.estimate import estimate
from kdbench.records.record import Record, Status
from kdbench.suite.spec import RunSpec, TaskDataset

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def known(specs: list[RunSpec], *records: Record) -> dict[str, Record | None]:
    found = {record.run_id: record for record in records}
    return {spec.run_id: found.get(spec.run_id) for spec in specs}


def epochs(spec: RunSpec, count: int) -> RunSpec:
    assert spec.train
    return spec.replace(train=spec.train.model_copy(update={"epochs": count}))


def test_nothing_is_known(spec: Spec) -> None:
    specs = [spec(), spec(seed=1)]
    assert estimate(specs, known(specs)).startswith("2 of 2 runs to do; their duration can be estimated once a run")


@pytest.mark.parametrize("status", ["ok", "diverged"])
def test_nothing_is_left(status: Status, spec: Spec, record: Make) -> None:
    specs = [spec(), spec(seed=1)]
    records = [record(specs[0]), record(specs[1], status=status)]
    assert estimate(specs, known(specs, *records)) == "All 2 runs are recorded."
    assert estimate(specs, known(specs, *records), changed=1) == "All 2 runs are recorded, 1 of them with other code or files."


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_what_failed_is_still_to_do(status: Status, spec: Spec, record: Make) -> None:
    specs = [spec(), spec(seed=1)]
    said = estimate(specs, known(specs, record(specs[0]), record(specs[1], status=status, timings={})))
    assert said.startswith("1 of 2 runs to do, about 10 s with ")  # training and evaluation, not the shared encoding


def test_epochs_scale(spec: Spec, record: Make) -> None:
    specs = [spec(), epochs(spec(), 14)]
    assert "about 1 min 10 s with " in estimate(specs, known(specs, record(specs[0])))


def test_recorded_runs_are_averaged_and_processes_share(spec: Spec, record: Make) -> None:
    specs = [spec(seed=seed) for seed in range(5)]
    records = [record(specs[0]), record(specs[1], timings={"train": 18.0, "evaluate": 2.0})]
    assert estimate(specs, known(specs, *records)).startswith("3 of 5 runs to do, about 22 s with 2 processes")  # 3 · 15 / 2


def test_the_longest_run_is_waited_for(spec: Spec, record: Make) -> None:
    specs = [spec(), spec(seed=1), epochs(spec(), 20)]
    assert "about 1 min 40 s with " in estimate(specs, known(specs, record(specs[0])))  # not (10 + 100) / 2


def test_teams_and_strategies_take_the_same_time(spec: Spec, record: Make) -> None:
    specs = [spec(), spec(team=[], strategy=None, objective=[])]
    assert "1 of 2 runs to do, about 10 s with " in estimate(specs, known(specs, record(specs[0])))


def test_transfer_runs_take_no_training(spec: Spec, record: Make) -> None:
    one = spec()
    far = one.replace(
        dataset=one.dataset.replace(name="far", params={"x": 1}), trained_on=TaskDataset(task=one.task, dataset=one.dataset)
    )
    specs = [one, spec(seed=1), far]
    assert "2 of 3 runs to do, about 10 s with " in estimate(specs, known(specs, record(one)))
    specs = [spec(seed=1), far]
    assert "can be estimated once a run of each" in estimate(specs, known(specs, record(far)))


@pytest.mark.parametrize("part", ["student", "dataset"])
def test_another_student_or_dataset_cannot_be_told(part: str, spec: Spec, record: Make) -> None:
    specs = [spec(), spec(**{part: {"name": "other", "use": "other", "params": {}}})]
    assert "can be estimated once a run of each" in estimate(specs, known(specs, record(specs[0])))
