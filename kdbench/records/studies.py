"""Summaries of studies among the records, as anybody may have written them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kdbench.errors import RecordError
from kdbench.records.study_summary import FOLDER, StudySummary, TrialSummary, read_summary

LARGEST = 1e15  # of a value that a page draws, and of a number of a trial
PARETO = ".pareto.json"  # configurations that follow from a summary, beside it


class Named(BaseModel):
    name: str


class Cell(BaseModel):
    """What the page of a study needs of the spec that was tuned."""

    dataset: Named
    student: Named
    team: list[Named]
    strategy: Named | None
    train: dict[str, Any]
    variant: str = ""


class How(BaseModel):
    """The same of its settings."""

    trials: int
    metric: str


def read_studies(paths: Iterable[Path]) -> tuple[list[StudySummary], list[str]]:
    """The summaries in the `sweep` folders at or below the folders given, each study once; and a line for each file left out:
    one that is no summary, contradicts itself, or tells of a study that another file tells otherwise of."""
    found: dict[tuple[str, str], tuple[Path, StudySummary]] = {}
    notes = []
    for path in _files(paths):
        try:
            summary = read_summary(path)
        except RecordError as error:
            notes.append(f"left out: {error}")
            continue
        if wrong := problem(summary):
            notes.append(f"left out: {path}: {wrong}")
            continue
        first, same = found.setdefault((summary.suite, summary.study), (path, summary))
        if same != summary:
            notes.append(f"left out: {path}: tells otherwise of the study in {first}")
    return [summary for _, summary in found.values()], notes


def problem(summary: StudySummary) -> str:
    """What about a summary does not agree with itself; empty where all does."""
    for kind, part in ((Cell, "spec"), (How, "settings")):
        try:
            kind.model_validate(getattr(summary, part))
        except ValidationError as error:
            first = error.errors()[0]
            return ".".join(map(str, (part, *first["loc"]))) + f": {first['msg']}"
    goals = len(summary.goals)
    if not goals or len(summary.directions) != goals:
        return f"directions: found {len(summary.directions)} for {goals} goals, expected one for each of one or more"
    numbers = [trial.number for trial in summary.trials]
    if len(set(numbers)) < len(numbers):
        return "trials: a number is there twice"
    if not all(0 <= number < LARGEST for number in numbers):
        return f"trials: found the number {min(numbers)} or {max(numbers)}, expected 0 and more"
    complete = [trial for trial in summary.trials if trial.state == "complete"]
    for trial in complete:
        if len(trial.values) != goals or not all(abs(value) < LARGEST for value in trial.values):
            return f"trials: {trial.number} is complete with values {trial.values}, expected {goals} below {LARGEST:.0e}"
    best = _best(summary, complete)
    if summary.best != best:
        return f"best: found {summary.best}, expected {best}, which follows from the trials"
    for path, share in summary.importance.items():
        if not 0 <= share <= 1:
            return f"importance: found {share} of {path}, expected a share, 0 to 1"
    strange = set(summary.pareto) - {trial.number for trial in complete}
    if strange:
        return f"pareto: {min(strange)} is no complete trial"
    return ""


def _best(summary: StudySummary, complete: list[TrialSummary]) -> int | None:
    if len(summary.goals) > 1 or not complete:
        return None
    sign = 1 if summary.directions[0] == "maximize" else -1
    return max(complete, key=lambda trial: (sign * trial.values[0], -trial.number)).number


def _files(paths: Iterable[Path]) -> list[Path]:
    folders = [path for path in paths if path.is_dir()]
    files = [file for folder in folders for file in sorted(folder.rglob("*.json"))]
    found = [file for file in files if file.absolute().parent.name == FOLDER and not file.name.endswith(PARETO)]
    return list({file.resolve(): file for file in found}.values())
