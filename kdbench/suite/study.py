"""The studies of a suite, and the runs with the parameters that they find. A study tunes one cell of the grid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from kdbench.storage.digest import digest_of
from kdbench.suite.model import Suite
from kdbench.suite.paths import with_values
from kdbench.suite.plan import plan
from kdbench.suite.spec import Frozen, RunSpec
from kdbench.suite.sweep import Parameter, Settings, Sweep

STUDY_VERSION: Literal[3] = 3  # raise when the same study means another search


class Study(Frozen):
    """A cell, the search space of its parameters, and the settings of the search.

    `spec` is the cell's run at the tuning seed, with the suite's own parameters.
    """

    version: Literal[3] = STUDY_VERSION
    spec: RunSpec
    space: tuple[Parameter, ...]
    settings: Settings

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits of a hash over everything that can change the result of the study."""
        form = {
            "version": self.version,
            "run": self.spec.run_id,
            "space": [parameter.model_dump(exclude_defaults=True) for parameter in self.space],
            "settings": self.settings.model_dump(exclude_defaults=True),
        }
        return digest_of(form)[:12]

    @property
    def name(self) -> str:
        """Its name in the storage and of its file."""
        return re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{self.label}-{self.digest}")

    @property
    def label(self) -> str:
        """A readable label of the study."""
        return self.spec.cell_label

    def run(self, values: Mapping[str, Any]) -> RunSpec:
        """The cell's run with these parameters."""
        return with_values(self.spec, values)


def studies(suite: Suite) -> list[Study]:
    """The studies of all cells that have something to tune, in the order of the plan."""
    found = [study for spec in plan(suite) if (study := study_of(suite, spec))]
    return list({study.name: study for study in found}.values())


def study_of(suite: Suite, spec: RunSpec) -> Study | None:
    """The study of a run's cell, the same for all its seeds; None if nothing of it is tuned."""
    sweep = (suite.variants[spec.variant] if spec.variant else suite).sweep
    if sweep is None or spec.reference:
        return None
    spec = spec.training
    space = _space(sweep, spec)
    return Study(spec=spec.replace(seed=sweep.settings.seed), space=tuple(space), settings=sweep.settings) if space else None


def tuned(suite: Suite, best: Mapping[str, Mapping[str, Any]]) -> list[RunSpec]:
    """The runs of the suite with the best parameters of their studies. Cells whose study has none are left out.

    `best` maps study names to parameters. A cell with nothing to tune, such as one without teachers in a sweep over loss
    weights, keeps its parameters: rows are compared within one tuning budget, and its row belongs to them.
    """
    runs = []
    for spec in plan(suite):
        study = study_of(suite, spec)
        if spec.reference or (study and study.name not in best):
            continue
        sweep = (suite.variants[spec.variant] if spec.variant else suite).sweep
        assert sweep is not None
        runs.append(with_values(spec, best[study.name] if study else {}).replace(tuning=sweep.settings.budget))
    return runs


def _space(sweep: Sweep, spec: RunSpec) -> list[Parameter]:
    """The part of the suite's space that applies to a cell: without teachers there is no λ and no objective."""
    common = [
        parameter
        for parameter in sweep.space
        if spec.team or (parameter.path.startswith("train.") and parameter.path != "train.distill")
    ]
    own = sweep.strategies.get(spec.strategy.name, []) if spec.strategy else []
    return [*common, *own, *sweep.student]
