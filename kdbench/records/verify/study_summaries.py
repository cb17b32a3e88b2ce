"""Checks the summaries of studies beside records, each on its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from kdbench.errors import RecordError
from kdbench.records.problem import Problem
from kdbench.records.sources import RecordFile
from kdbench.records.study_summary import FOLDER, LARGEST, PARETO, StudySummary, TrialSummary

# Exceptions for a value that does not fit its parameter, or a path that does not exist; pydantic's are ValueErrors.
NO_FIT = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True)
class StudyFile:
    """A study's summary and its file. `fine` is true if they have no problem."""

    name: str  # in its source
    where: str  # its name in messages
    summary: StudySummary
    fine: bool
    tunes: str  # cell id of the runs with its best parameters; empty if it has no best trial or is not fine


StudyFiles = dict[str, list[StudyFile]]  # by folder of records


def studies_beside(files: Iterable[RecordFile], problems: list[Problem]) -> StudyFiles:
    """The summaries in the folders of some records. Adds their problems to `found`."""
    found: StudyFiles = {}
    altered = {one.path for one in problems}  # in a bundle
    for file in {file.folder: file for file in files}.values():
        found[file.folder] = []
        for name in file.source.beside(file.name, FOLDER, ".json"):
            if name.endswith(PARETO):
                continue
            where = file.source.shown(name)
            try:
                summary = StudySummary.model_validate_json(file.read(name) or b"")
            except (ValidationError, RecordError) as error:
                reason = "; ".join(line.strip() for line in str(error).splitlines()[:3])
                problems.append(Problem(where, "not a study's summary", reason, "as `kdbench sweep` writes it"))
                continue
            tunes, wrong = _checked(summary, where)
            problems += wrong
            fine = not wrong and where not in altered
            found[file.folder].append(StudyFile(name, where, summary, fine, tunes if fine else ""))
    return found


def contradiction(summary: StudySummary) -> str:
    """Yields the inconsistencies of a summary."""
    goals = len(summary.goals)
    if not goals or len(summary.directions) != goals:
        return f"directions: found {len(summary.directions)} for {goals} goals, expected one for each of one or more"
    if summary.spec.train is None:
        return "spec.train: found nothing, expected the settings of a training"
    trials = [trial.number for trial in summary.trials]
    if len(set(trials)) < len(trials):
        return "trials: a number occurs twice"
    if not all(0 <= number < LARGEST for number in trials):
        return f"trials: found the number {min(trials)} or {max(trials)}, expected 0 and more"
    complete = [trial for trial in summary.trials if trial.state == "complete"]
    for trial in complete:
        if len(trial.values) != goals or not all(abs(value) < LARGEST for value in trial.values):
            return f"trials: {trial.number} is complete with values {trial.values}, expected {goals} below {LARGEST:.0e}"
    best = _best(summary, complete)
    if summary.best != best:
        return f"best: found {summary.best}, expected {best}, which follows from the trials"
    for path, share in summary.importance.items():
        if not 0 <= share <= 1:
            return f"importance: found {share} of {path}, expected a fraction, 0 to 1"
    strange = set(summary.pareto) - {trial.number for trial in complete}
    if strange:
        return f"pareto: {min(strange)} is not a complete trial"
    return ""


def _checked(summary: StudySummary, where: str) -> tuple[str, list[Problem]]:
    """The cell id of the runs with its best parameters, and its problems."""
    if reason := contradiction(summary):
        return "", [Problem(where, "an inconsistent study", reason, "values that follow from its trials")]
    settings, best = summary.settings, summary.best_trial
    try:
        tunes = summary.as_study.run(best.params).replace(tuning=settings.budget).cell_id if best else ""
        ids = summary.ids
    except NO_FIT as error:
        reason = "; ".join(line.strip() for line in f"{type(error).__name__}: {error}".splitlines()[:3])
        return "", [Problem(where, "a spec, space or settings that give no study", reason, "as `kdbench sweep` writes it")]
    expected: dict[str, Any] = {
        **ids,
        "suite": summary.spec.suite,
        "goals": settings.goals,
        "directions": settings.directions,
    }
    wrong = [
        Problem(where, f"{name} does not follow from its spec, space and settings", str(getattr(summary, name)), str(value))
        for name, value in expected.items()
        if getattr(summary, name) != value
    ]
    called = PurePosixPath(where).name
    if called != f"{summary.study}.json":
        wrong.append(Problem(where, "a file name that differs from its study's", called, f"{summary.study}.json"))
    if len(summary.trials) != settings.trials:
        wrong.append(Problem(where, "trials", f"{len(summary.trials)}", f"{settings.trials}, by its settings"))
    return tunes, wrong


def _best(summary: StudySummary, complete: list[TrialSummary]) -> int | None:
    if len(summary.goals) > 1 or not complete:
        return None
    sign = 1 if summary.directions[0] == "maximize" else -1
    return max(complete, key=lambda trial: (sign * trial.values[0], -trial.number)).number
