"""A suite laid out as runs. A run's id is a hash of everything that can change its outcome, labels included."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal

from kdbench.storage.cache import digest_of
from kdbench.suite.model import Plugged, Suite

SPEC_VERSION = 1  # raise when the same spec comes to mean another computation
# Settings that leave the computation what it is. More devices add up in another order, and what towers draw or take of a
# batch's statistics differs between them; a run may all the same be begun on one and finished on eight.
OPERATIONAL = {"checkpoint_every", "devices"}


@dataclass(frozen=True)
class RunSpec:
    """One cell of the grid with its seed, as plain JSON values.

    Plugins are `{"name", "use", "params"}`; terms of the objective have a `coefficient` too. A run without teachers has
    no objective, and one with fewer than two teachers no strategy, whatever the suite says: that is one row, not many.
    """

    suite: str
    dataset: dict[str, Any]
    student: dict[str, Any]
    team: list[dict[str, Any]]
    strategy: dict[str, Any] | None
    objective: list[dict[str, Any]]
    train: dict[str, Any]
    evaluate: dict[str, Any]
    seed: int
    version: int = SPEC_VERSION
    variant: str = ""  # of the suite
    role: Literal["", "reference"] = ""  # a reference is ranked as it is, without training: `student` is then a teacher
    smoke: bool = False  # a trial of the machinery, never published
    tuning: dict[str, Any] | None = None  # how its parameters were found: `{"split", "trials"}`; None: as the suite gives them

    @cached_property
    def run_id(self) -> str:
        """12 hexadecimal digits."""
        return _id(self.as_dict())

    @cached_property
    def cell_id(self) -> str:
        """The same for all seeds of a cell."""
        return _id({key: value for key, value in self.as_dict().items() if key != "seed"})

    @property
    def label(self) -> str:
        """How a person recognises the run."""
        if self.role == "reference":
            return f"{self.student['name']} · as it is"
        team = "+".join(teacher["name"] for teacher in self.team) or "no teacher"
        parts = [
            *([self.variant] if self.variant else []),
            self.student["name"],
            team,
            *([self.strategy["name"]] if self.strategy else []),
            f"seed {self.seed}",
        ]
        return " · ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(suite: Suite) -> list[RunSpec]:
    """All runs, seeds outermost: an interrupted suite has compared everything on the seeds it finished."""
    variants = suite.variants or {"": suite}
    trained = [run for seed in suite.seeds for name, variant in variants.items() for run in _grid(variant, name, seed)]
    return [*_references(suite), *trained]


def _references(suite: Suite) -> list[RunSpec]:
    """One run each: nothing about them is drawn."""
    return [
        RunSpec(
            suite=suite.name,
            dataset=dataset.model_dump(),
            student=suite.teachers[name].model_dump(),
            team=[],
            strategy=None,
            objective=[],
            train={},
            evaluate=suite.evaluate.model_dump(),
            seed=0,
            role="reference",
            smoke=suite.smoke,
        )
        for dataset, name in product(suite.datasets, suite.references)
    ]


def _grid(suite: Suite, variant: str, seed: int) -> list[RunSpec]:
    runs = []
    for dataset, student, team in product(suite.datasets, suite.students, suite.teams):
        strategies: list[Plugged | None] = list(suite.strategies) if len(team) > 1 else [None]
        train = suite.train.model_dump()
        if not team:
            train["distill"] = 0.0
        runs += [
            RunSpec(
                suite=suite.name,
                dataset=dataset.model_dump(),
                student=student.model_dump(),
                team=[suite.teachers[name].model_dump() for name in team],
                strategy=strategy.model_dump() if strategy else None,
                objective=[term.model_dump() for term in suite.objective] if team else [],
                train=train,
                evaluate=suite.evaluate.model_dump(),
                seed=seed,
                variant=variant,
                smoke=suite.smoke,
            )
            for strategy in strategies
        ]
    return runs


def _id(spec: dict[str, Any]) -> str:
    train = {key: value for key, value in spec["train"].items() if key not in OPERATIONAL}
    # What a run does not have is not part of it: ids stay as they were before there were variants, references, smoke, tuning.
    known = {key: value for key, value in spec.items() if value or key not in ("variant", "role", "smoke", "tuning")}
    return digest_of({**known, "train": train})[:12]
