"""The studies of a suite, and the runs that follow from them. A study tunes one cell of the grid."""

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

STUDY_VERSION: Literal[3] = 3  # raise when the same study comes to describe another search


class Study(Frozen):
    """A cell, the space its parameters are sought in, and how.

    `spec` is the cell's run at the tuning seed, with the suite's own parameters.
    """

    version: Literal[3] = STUDY_VERSION
    spec: RunSpec
    space: tuple[Parameter, ...]
    settings: Settings

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits over everything that can change what the study finds."""
        form = {
            "version": self.version,
            "run": self.spec.run_id,
            "space": [parameter.model_dump(exclude_defaults=True) for parameter in self.space],
            "settings": self.settings.model_dump(exclude_defaults=True),
        }
        return digest_of(form)[:12]

    @property
    def name(self) -> str:
        """What it is called in its storage and its file."""
        return re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{self.label}-{self.digest}")

    @property
    def label(self) -> str:
        """How a person recognises it."""
        return self.spec.cell_label

    def run(self, values: Mapping[str, Any]) -> RunSpec:
        """The cell's run with other parameters."""
        return with_values(self.spec, values)


def studies(suite: Suite) -> list[Study]:
    """One for each cell that has something to tune, in the order of the plan."""
    found = [study for spec in plan(suite) if (study := study_of(suite, spec))]
    return list({study.name: study for study in found}.values())


def study_of(suite: Suite, spec: RunSpec) -> Study | None:
    """The study of the cell that a run belongs to, the same for all its seeds; None where nothing of it is tuned."""
    sweep = (suite.variants[spec.variant] if spec.variant else suite).sweep
    if sweep is None or spec.reference:
        return None
    space = _space(sweep, spec)
    return Study(spec=spec.replace(seed=sweep.settings.seed), space=tuple(space), settings=sweep.settings) if space else None


def tuned(suite: Suite, best: Mapping[str, Mapping[str, Any]]) -> list[RunSpec]:
    """The runs of the suite with the best parameters, by study name. Cells whose study has none are left out.

    A cell with nothing to tune, such as one without teachers in a sweep over loss weights, is returned unchanged: rows compare
    within one tuning budget, and its row belongs among the others.
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
    """What a cell has of the suite's space: without teachers there is no λ and no objective."""
    common = [
        parameter
        for parameter in sweep.space
        if spec.team or (parameter.path.startswith("train.") and parameter.path != "train.distill")
    ]
    own = sweep.strategies.get(spec.strategy.name, []) if spec.strategy else []
    return [*common, *own, *sweep.student]
