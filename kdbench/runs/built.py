"""Student and stages of a run, built from its spec and checked against their contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kdbench.contracts import Objective, Strategy, Student, Task
from kdbench.plugins.building import build_spec
from kdbench.storage.digest import canonical_json
from kdbench.suite.spec import PluginSpec, RunSpec, StageSpec, TermSpec
from kdbench.training.borders import checked_objective, checked_strategy
from kdbench.training.stage import Stage
from kdbench.training.team import Team

Terms = list[tuple[float, Objective]]


def built_student(spec: RunSpec, task: Task) -> Student:
    """The student. Raises PluginError if it lacks what the task uses."""
    student: Student = build_spec("student", spec.student)
    task.check_plugin("student", student)
    return student


def built_terms(objective: Sequence[TermSpec]) -> Terms:
    """The terms of an objective with their coefficients. Raises PluginError if one lacks a method."""
    return [(term.coefficient, checked_objective(build_spec("objective", term))) for term in objective]


def built_strategy(spec: PluginSpec | None) -> Strategy | None:
    """The strategy, None for a run without or with one teacher. Raises PluginError if it lacks a method."""
    return checked_strategy(build_spec("strategy", spec)) if spec else None


def built_stages(spec: RunSpec, team_of: Callable[[Terms], Team | None]) -> list[Stage]:
    """The stages of a run; a training without stages is one. `team_of` makes a team for an objective.

    Stages with an equal objective share its heads, stages with an equal strategy share it with what it has learned.
    """
    teams: dict[str, Team | None] = {}
    strategies: dict[str, Strategy | None] = {}
    stages = []
    for settings, stage in zip(spec.trainings, spec.stages or [StageSpec()], strict=True):
        objective, strategy = stage.objective or spec.objective, stage.strategy or spec.strategy
        terms = canonical_json([term.canonical for term in objective])
        if terms not in teams:
            teams[terms] = team_of(built_terms(objective))
        key = strategy.canonical_json if strategy else ""
        if key not in strategies:
            strategies[key] = built_strategy(strategy)
        stages.append(Stage(settings, teams[terms], strategies[key]))
    return stages
