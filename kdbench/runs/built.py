"""Student, objective and strategy of a run, built from its spec and checked against their contracts."""

from __future__ import annotations

from kdbench.contracts import Objective, Strategy, Student, Task
from kdbench.plugins.building import build_spec
from kdbench.suite.spec import RunSpec
from kdbench.training.borders import checked_objective, checked_strategy


def built_student(spec: RunSpec, task: Task) -> Student:
    """The student. Raises PluginError if it lacks what the task uses."""
    student: Student = build_spec("student", spec.student)
    task.check_plugin("student", student)
    return student


def built_terms(spec: RunSpec) -> list[tuple[float, Objective]]:
    """The terms of the objective with their coefficients. Raises PluginError if one lacks a method."""
    return [(term.coefficient, checked_objective(build_spec("objective", term))) for term in spec.objective]


def built_strategy(spec: RunSpec) -> Strategy | None:
    """The strategy, None for a run without or with one teacher. Raises PluginError if it lacks a method."""
    return checked_strategy(build_spec("strategy", spec.strategy)) if spec.strategy else None
