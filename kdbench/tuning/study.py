"""The studies of a suite, and the runs that follow from them. A study tunes one cell of the grid."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from kdbench.records.study_summary import placed
from kdbench.storage.cache import digest_of
from kdbench.suite.model import Suite
from kdbench.suite.plan import OPERATIONAL, RunSpec, plan
from kdbench.suite.sweep import Parameter, Settings, Sweep

STUDY_VERSION = 2  # raise when the same study comes to mean another search


@dataclass(frozen=True)
class Study:
    """A cell, the space its parameters are sought in, and how; as plain JSON values."""

    spec: dict[str, Any]  # the cell's RunSpec, at the tuning seed and with the suite's own parameters
    space: list[dict[str, Any]]  # Parameters
    settings: dict[str, Any]
    version: int = STUDY_VERSION

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits over all that can change what the study finds."""
        train = {key: value for key, value in self.spec["train"].items() if key not in OPERATIONAL}
        return digest_of({**asdict(self), "spec": {**self.spec, "train": train}})[:12]

    @property
    def name(self) -> str:
        """What it is called in its storage and its file."""
        return re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{self.label}-{self.digest}")

    @property
    def label(self) -> str:
        """How a person recognises it."""
        return RunSpec(**self.spec).label.removesuffix(f" · seed {self.spec['seed']}")

    @property
    def how(self) -> Settings:
        return Settings.model_validate(self.settings)

    @property
    def parameters(self) -> list[Parameter]:
        return [Parameter.model_validate(one) for one in self.space]

    def run(self, values: dict[str, Any]) -> RunSpec:
        """The cell's run with other parameters."""
        return with_values(RunSpec(**self.spec), values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def studies(suite: Suite) -> list[Study]:
    """One for each cell that has something to tune, in the order of the plan."""
    found = [study for spec in plan(suite) if (study := study_of(suite, spec))]
    return list({study.name: study for study in found}.values())


def study_of(suite: Suite, spec: RunSpec) -> Study | None:
    """The study of the cell that a run belongs to, the same for all its seeds; None where nothing of it is tuned."""
    sweep = (suite.variants[spec.variant] if spec.variant else suite).sweep
    if sweep is None or spec.role:
        return None
    space = [parameter.model_dump() for parameter in _space(sweep, spec)]
    cell = replace(spec, seed=sweep.settings.seed).as_dict()
    return Study(cell, space, sweep.settings.model_dump()) if space else None


def tuned(suite: Suite, best: dict[str, dict[str, Any]]) -> list[RunSpec]:
    """The runs of the suite with the best parameters, by study's name. Cells whose study has none are left out.

    A cell with nothing to tune, such as one without teachers where only losses are, comes as it is: rows are compared within
    one tuning budget, and its row belongs among the others.
    """
    runs = []
    for spec in plan(suite):
        study = study_of(suite, spec)
        if spec.role or (study and study.name not in best):
            continue
        sweep = (suite.variants[spec.variant] if spec.variant else suite).sweep
        assert sweep is not None
        runs.append(replace(with_values(spec, best[study.name] if study else {}), tuning=sweep.settings.budget))
    return runs


def with_values(spec: RunSpec, values: dict[str, Any]) -> RunSpec:
    """The run with the parameters at some paths set, such as `train.lr`, `objective[0].coefficient`, `strategy.C`."""
    return RunSpec(**placed(spec.as_dict(), values))


def _space(sweep: Sweep, spec: RunSpec) -> list[Parameter]:
    """What a cell has of the suite's space: without teachers there is no λ and no objective."""
    common = [
        parameter
        for parameter in sweep.space
        if spec.team or (parameter.path.startswith("train.") and parameter.path != "train.distill")
    ]
    own = sweep.strategies.get(spec.strategy["name"], []) if spec.strategy else []
    return [*common, *own, *sweep.student]
