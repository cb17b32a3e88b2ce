"""The teachers of a run: their outputs, their heads, their losses; some of them learn as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import MovingOutputs, Objective, TeacherOutputs
from kdbench.contracts.border import refused
from kdbench.contracts.values import Owned
from kdbench.errors import NotFinite, PluginError
from kdbench.plugins.internals import internals_read
from kdbench.storage.digest import digest_of
from kdbench.training.borders import all_finite, check_first, check_taught, checked_head, checked_losses
from kdbench.training.internals import FirstSamples


@dataclass(frozen=True)
class TeamTeacher:
    """One teacher of a run: its label and its stored outputs."""

    name: str
    stored: TeacherOutputs


class Team:
    """Sums the terms of an objective for each teacher. `heads` are trained with the student."""

    def __init__(
        self,
        teachers: Sequence[TeamTeacher],
        terms: Sequence[tuple[float, Objective]],
        student_width: int,
        seed: int,
        device: str,
        first: FirstSamples | None = None,
    ) -> None:
        """With `first`, objectives may read internals, whose shapes are found from these samples.

        Raises PluginError if a teacher has no internals, and one reads them.
        """
        self.internals = tuple(sorted({name for _, term in terms for name in internals_read(term)}))
        teachers = [replace(one, stored=_exposing(one, self.internals)) for one in teachers] if self.internals else teachers
        self.teachers = list(teachers)
        self.names = [teacher.name for teacher in teachers]
        self.terms = list(terms)
        self.device = device
        self.heads = nn.ModuleList()
        for teacher in teachers:
            # Seeded by the teacher's name: heads depend neither on the position in the team nor on other teachers, and the
            # student draws the same random numbers as without teachers.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(digest_of([seed, "heads", teacher.name])[:8], 16))
                heads = [_head(term, student_width, teacher, first) for _, term in self.terms]
            self.heads.append(nn.ModuleList([nn.Identity() if head is None else head for head in heads]))
            if (begin := getattr(teacher.stored, "begin", None)) is not None:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(int(digest_of([seed, "teacher", teacher.name])[:8], 16))
                    begin(device)
        self.heads.to(device)
        self.moving = {one.name: cast(MovingOutputs, one.stored) for one in self.teachers if hasattr(one.stored, "step")}
        self._looked = False  # whether the losses of a first step were looked at

    def outputs(self, batch: Owned) -> list[Owned]:
        """Every teacher's `Outputs` for a batch."""
        return [teacher.stored.outputs(batch, self.device) for teacher in self.teachers]

    def check_outputs(self, names: Sequence[str], outputs: Sequence[Owned]) -> None:
        """Raises NotFinite with the first of the named teachers whose outputs are not finite."""
        for name, teacher in zip(self.names, outputs, strict=True):
            if name in names and not all_finite(teacher):
                raise NotFinite(f"teacher {name}: found outputs that are not finite; expected finite numbers")

    def blame(self, batch: Owned) -> None:
        """Raises NotFinite if the outputs of a teacher for a batch are not finite. Those that learn from the student may have
        it from the student."""
        self.check_outputs([name for name in self.names if name not in self.moving], self.outputs(batch))

    def step(self, student: Owned, batch: Owned) -> None:
        """Teachers that move learn from the student's outputs, detached."""
        for moving in self.moving.values():
            moving.step(student, batch, self.device)

    def state_dict(self) -> dict[str, Any]:
        """What teachers that move have learned, by name."""
        return {name: moving.state_dict() for name, moving in self.moving.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, moving in self.moving.items():
            moving.load_state_dict(state[name])

    def losses(self, student: Owned, teachers: Sequence[Owned], batch: Owned) -> list[Tensor]:
        """T losses [B]. Their graphs share at most what is computed of the student alone: a backward of one keeps it.

        Raises PluginError if an objective returns something else than a loss per sample, losses that do not depend on the
        student, or, at first, negative ones; NotFinite if a teacher's outputs, or losses of finite outputs, are not finite at
        first.
        """
        first = not self._looked and torch.is_grad_enabled()
        if first:
            self.check_outputs(self.names, teachers)
        found = [self._loss(student, teacher, position, batch, first) for position, teacher in enumerate(teachers)]
        self._looked = self._looked or first
        return found

    def fused_losses(self, student: Owned, teachers: Sequence[Owned], weights: Tensor, batch: Owned) -> Tensor:
        """The losses [B] against the teachers' logits fused by `weights` [T, B, B].

        Raises PluginError if an objective cannot fuse logits, or returns something else than a loss per sample.
        """
        total = torch.zeros(len(batch), device=self.device)
        for coefficient, term in self.terms:
            if not hasattr(term, "fused_losses"):
                found = "nothing, beside a strategy that weighs pairs [T, B, B]"
                raise refused(
                    term, "fused_losses", found, "a method", "use an objective that fuses logits, or another strategy"
                )
            made = term.fused_losses(student, teachers, weights, batch)
            total = total + coefficient * checked_losses(term, made, len(batch), "fused_losses")
        return total

    def _loss(self, student: Owned, teacher: Owned, position: int, batch: Owned, first: bool) -> Tensor:
        heads = cast(nn.ModuleList, self.heads[position])
        total = torch.zeros(len(batch), device=self.device)
        for (coefficient, term), head in zip(self.terms, heads, strict=True):
            losses = checked_losses(term, term.losses(student, teacher, head, batch), len(batch))
            check_taught(term, losses, student)
            if first:
                check_first(term, losses, student)
            total = total + coefficient * losses
        return total


def _exposing(teacher: TeamTeacher, names: Sequence[str]) -> TeacherOutputs:
    """The outputs of a teacher that hold internals."""
    exposing: Any = getattr(teacher.stored, "exposing", None)
    if exposing is None:
        raise PluginError(
            f"teacher {teacher.name}: found no internals; expected {', '.join(names)}, which the objective reads. Take another "
            "teacher or objective"
        )
    return cast(TeacherOutputs, exposing(names))


def _head(term: Objective, student_width: int, teacher: TeamTeacher, first: FirstSamples | None) -> nn.Module | None:
    names = internals_read(term)
    if not names:
        return checked_head(term, term.head(student_width, teacher.stored.width))
    if first is None:
        raise refused(term, "internals", f"the names {', '.join(names)}", "none, as nothing here gives their shapes")
    reading: Any = term
    return checked_head(term, reading.internal_head(first.of_student(names), first.of_teacher(teacher.stored, names)))
