"""What a study found: one small JSON file beside the records, written when its last trial has ended."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from kdbench.errors import RecordError
from kdbench.records.record import read_model, write_model
from kdbench.suite.yaml_file import path_steps

FOLDER = "sweep"  # within a suite's records
State = Literal["complete", "pruned", "diverged", "failed"]


class TrialSummary(BaseModel):
    """One trial, as it ended."""

    model_config = ConfigDict(extra="forbid")

    number: int
    state: State
    reason: str = ""  # of a state but complete
    params: dict[str, Any]  # by path: `train.lr`, `objective[0].coefficient`, `strategy.C`, `student.width`
    values: list[float] = []  # by goal, of the best epoch; none where the trial is not complete
    epochs: dict[int, float] = {}  # the metric on validation after each epoch that was validated
    best_epoch: int | None = None
    seconds: float | None = None  # of training; where it is not complete, of its last sitting
    started: str | None = None  # in UTC
    finished: str | None = None


class StudySummary(BaseModel):
    """All trials of a study. Nothing in it comes from the test split."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    study: str
    digest: str
    suite: str
    label: str
    split: Literal["validation"] = "validation"
    spec: dict[str, Any]  # of the cell, with the suite's own parameters
    space: list[dict[str, Any]]
    settings: dict[str, Any]
    version: int = 1  # of the search that these mean
    goals: list[str]
    directions: list[Literal["minimize", "maximize"]]
    best: int | None = None  # the trial with the best value, the first of equals; None where none is complete, or of many goals
    pareto: list[int] = []  # trials that no other beats in every goal; with several goals only
    importance: dict[str, float] = {}  # of the parameters: shares of the variance, by PED-ANOVA; empty where none can be told
    trials: list[TrialSummary]

    @property
    def best_trial(self) -> TrialSummary | None:
        return next((trial for trial in self.trials if trial.number == self.best), None)

    @property
    def pareto_trials(self) -> list[TrialSummary]:
        return [trial for trial in self.trials if trial.number in self.pareto]


def study_path(results: Path, suite: str, study: str) -> Path:
    return results / suite / FOLDER / f"{study}.json"


def write_summary(results: Path, summary: StudySummary) -> Path:
    """Written whole or not at all."""
    return write_model(study_path(results, summary.suite, summary.study), summary)


def read_summary(path: Path) -> StudySummary:
    """Raises RecordError, naming the file and the field."""
    return read_model(StudySummary, path, "a study's summary")


def summarised(results: Path, suite: str, study: str) -> StudySummary | None:
    """What a study found; None where it has not ended, or its file cannot be read."""
    path = study_path(results, suite, study)
    try:
        return read_summary(path) if path.exists() else None
    except RecordError:
        return None


def placed(spec: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A run's spec with the parameters at some paths set, such as `train.lr`, `objective[0].coefficient`, `strategy.C`.

    Raises KeyError, IndexError or TypeError where the way to one does not exist.
    """
    fields = deepcopy(spec)
    for path, value in values.items():
        holder, last = _holder(fields, path)
        holder[last] = value
    return fields


def value_at(spec: dict[str, Any], path: str) -> Any:
    """What a run's spec has at such a path. Raises as `placed` does."""
    holder, last = _holder(spec, path)
    return holder[last]


def _holder(spec: dict[str, Any], path: str) -> tuple[Any, Any]:
    """What holds the parameter at a path, and its key there."""
    head, *rest = path_steps(path)
    holder = spec[str(head)]
    if head == "objective":
        holder = holder[rest.pop(0)]
    if head != "train" and not (head == "objective" and rest == ["coefficient"]):
        holder = holder["params"]
    for step in rest[:-1]:
        holder = holder[step]
    return holder, rest[-1]
