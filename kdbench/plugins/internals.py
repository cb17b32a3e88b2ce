"""What a student or a teacher exposes to objectives that read internals: by itself, or by a hook of another plugin."""

from __future__ import annotations

from typing import Any, cast

from kdbench.contracts import ExposingTeacher, Taps
from kdbench.contracts.values import Owned
from kdbench.plugins.building import current_plugins


def taps_of(student: Owned) -> Taps:
    """Where internals of a student are read, by name; empty if it exposes none."""
    own: Any = getattr(student, "taps", None)
    found = own() if own is not None else current_plugins().manager.hook.kdbench_taps(student=student)
    return cast(Taps, found or {})


def exposing_teacher(teacher: Owned) -> ExposingTeacher | None:
    """How internals of a teacher are read; None if it exposes none. It need not be prepared."""
    if hasattr(teacher, "exposed"):
        return cast(ExposingTeacher, teacher)
    return cast(ExposingTeacher | None, current_plugins().manager.hook.kdbench_exposing_teacher(teacher=teacher))


def internals_read(objective: object) -> tuple[str, ...]:
    """The names of the internals that an objective reads."""
    return tuple(getattr(objective, "internals", ()))
