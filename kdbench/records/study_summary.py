"""The result of a study: one small JSON file beside the records, written after its last trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from kdbench.contracts.values import JsonObject
from kdbench.errors import RecordError
from kdbench.records.files import read_model, write_model
from kdbench.records.parts import Part
from kdbench.records.quantities import Amount, Figure, Whole
from kdbench.records.sealed import Sealed
from kdbench.storage.atomic import write_text
from kdbench.suite.spec import Frozen, RunSpec, Values
from kdbench.suite.study import STUDY_VERSION, Study
from kdbench.suite.sweep import Parameter, Settings

FOLDER = "sweep"  # within a suite's records
PARETO = ".pareto.json"  # configurations from a summary, beside it
LARGEST = 1e15  # bound of values that a page plots and of trial numbers
State = Literal["complete", "pruned", "diverged", "failed"]
Direction = Literal["minimize", "maximize"]


class TrialSummary(Frozen):
    """One ended trial."""

    number: Annotated[int, Field(strict=True)]
    state: State
    reason: str = ""  # of any state but complete
    params: Values  # by path: `train.lr`, `objective[0].coefficient`, `strategy.C`, `student.width`
    values: list[Figure] = []  # by goal, at the best epoch; none unless the trial is complete
    epochs: dict[int, Figure] = {}  # the validation metric after each validated epoch
    best_epoch: Whole | None = None
    seconds: Amount | None = None  # of training; for a trial that is not complete, since its last start or resume
    started: str | None = None  # in UTC
    finished: str | None = None


class StudySummary(Frozen, Sealed):
    """All trials of a study. It contains nothing from the test split."""

    format: Literal[2] = 2
    study: str
    digest: str
    suite: str
    label: str
    split: Literal["validation"] = "validation"
    spec: RunSpec  # of the cell, with the suite's own parameters
    space: tuple[Parameter, ...]
    settings: Settings
    version: Whole = STUDY_VERSION  # version of the search algorithm
    goals: list[str]
    directions: list[Direction]
    best: Whole | None = None  # the first trial with the best value; None if none is complete or with several goals
    pareto: list[Whole] = []  # trials that no other trial dominates; with several goals only
    importance: dict[str, Figure] = {}  # of each parameter, by PED-ANOVA, as a fraction; empty if unknown
    trials: list[TrialSummary]
    parts: dict[str, Part] = {}  # of its runs when the study began; left out of the file if nothing is known

    @classmethod
    def of(cls, study: Study, **found: Any) -> StudySummary:
        """The summary of a study with these results: `trials`, `best`, `pareto`, `importance`."""
        return cls(
            study=study.name,
            digest=study.digest,
            suite=study.spec.suite,
            label=study.label,
            spec=study.spec,
            space=study.space,
            settings=study.settings,
            version=study.version,
            goals=study.settings.goals,
            directions=study.settings.directions,
            **found,
        )

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> JsonObject:
        fields: JsonObject = write(self)
        if not self.parts:
            fields.pop("parts")
        return fields

    @property
    def as_study(self) -> Study:
        """The study of its spec, space and settings. Raises ValueError if its search version is not supported any more."""
        return Study.model_validate({name: getattr(self, name) for name in ("version", "spec", "space", "settings")})

    @property
    def ids(self) -> dict[str, str]:
        """The values of `digest`, `study` and `label` that follow from its spec, space and settings."""
        study = self.as_study
        return {"digest": study.digest, "study": study.name, "label": study.label}

    @property
    def best_trial(self) -> TrialSummary | None:
        """The best trial; None if no trial is complete or there are several goals."""
        return next((trial for trial in self.trials if trial.number == self.best), None)

    @property
    def pareto_trials(self) -> list[TrialSummary]:
        """The Pareto-optimal trials of a study with several goals."""
        return [trial for trial in self.trials if trial.number in self.pareto]


def study_path(results: Path, suite: str, study: str) -> Path:
    """The path of a study's summary."""
    return results / suite / FOLDER / f"{study}.json"


def write_summary(results: Path, summary: StudySummary) -> Path:
    """Writes a summary whole or not at all."""
    return write_model(study_path(results, summary.suite, summary.study), summary)


def write_pareto(results: Path, summary: StudySummary) -> Path:
    """Writes the Pareto-optimal configurations to a separate file."""
    found = {
        "study": summary.study,
        "goals": summary.goals,
        "directions": summary.directions,
        "configurations": [
            {"trial": trial.number, "params": trial.params, "values": dict(zip(summary.goals, trial.values, strict=True))}
            for trial in summary.pareto_trials
        ],
    }
    path = study_path(results, summary.suite, summary.study)
    return write_text(path.with_suffix(PARETO), json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def read_summary(path: Path) -> StudySummary:
    """Reads a summary. Raises RecordError, naming the file and the field."""
    return read_model(StudySummary, path, "a study's summary")


def summarised(results: Path, study: Study) -> StudySummary | None:
    """The summary of a study; None if it has not ended or its file cannot be read."""
    try:
        return read_summary(study_path(results, study.spec.suite, study.name))
    except RecordError:
        return None
