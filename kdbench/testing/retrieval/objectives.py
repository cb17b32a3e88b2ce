"""The properties of an objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdbench.contracts import Objective, Pairs
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, furthest, insist, one_thread
from kdbench.testing.retrieval.objective_inputs import (
    OTHER,
    WIDTH,
    KitBank,
    ObjectiveInputs,
    drawn_inputs,
    gradients,
    identity,
    in_state,
    inputs,
    learning,
    losses_of,
    named_internals,
)
from kdbench.training.borders import NEGATIVE, checked_head, checked_losses

Build = Callable[[], Objective]


def per_sample(build: Build) -> None:
    """Losses are [B], for teachers of the student's and another width, for large and small batches."""
    for width in (WIDTH, OTHER):
        for batch_size in (2, 6):
            objective = build()
            made = drawn_inputs(objective, width, batch_size, dtype=torch.float32)
            checked_head(objective, made.head)
            losses = losses_of(objective, made)
            if losses.shape != (batch_size,) or not losses.is_floating_point():
                where = f"batch {batch_size}, teacher of width {width}, student of width {WIDTH}"
                raise Broken(f"{where}: found {losses.dtype} of shape {list(losses.shape)}, expected floats [{batch_size}]")
            checked_losses(objective, losses, batch_size)


def finite(build: Build) -> None:
    """Losses are finite and not negative, and their gradients finite, for any scale of the logits, for collapsed and perfect
    students."""
    for width in (WIDTH, OTHER):
        for scale in (1.0, 100.0):
            for state in ("random", "collapsed", "perfect"):
                objective = build()
                found = drawn_inputs(objective, width, scale=scale, dtype=torch.float32)
                teacher = replace(found.teacher, scale=scale)
                student = learning(found._replace(student=in_state(state, found.student, teacher))).student
                losses = losses_of(objective, found._replace(student=student, teacher=teacher))
                where = f"{state} student, teacher of width {width}, scale {scale:g}"
                if not torch.isfinite(losses).all():
                    raise Broken(f"{where}: found losses {brief(losses)}, expected finite ones")
                if (losses < -NEGATIVE * losses.abs().max().clamp_min(1.0)).any():
                    raise Broken(f"{where}: found losses {brief(losses)}, expected 0 or more")
                for name, grad in gradients(losses, student, found.head).items():
                    if not torch.isfinite(grad).all():
                        raise Broken(f"{where}: found the gradient {brief(grad)} at the {name}, expected a finite one")


def moves_student(build: Build) -> None:
    """Losses have a gradient at the student's embeddings, or at internals that are read."""
    for width in (WIDTH, OTHER):
        objective = build()
        found = learning(drawn_inputs(objective, width))
        grads = gradients(losses_of(objective, found), found.student, found.head)
        reached = [name for name, grad in grads.items() if "embeddings" in name or "internal " in name if grad.abs().sum() > 0]
        if not reached:
            raise Broken(f"teacher of width {width}: found no gradient at the embeddings, expected one at images or texts")


def gradient(build: Build) -> None:
    """Backward agrees with finite differences at the embeddings, the scale and the head's parameters."""
    for width in (WIDTH, OTHER):
        objective = build()
        found = learning(drawn_inputs(objective, width, batch_size=3, scale=5.0))
        seen = _Seen(objective, found)
        names = [name for name, value in seen.named_parameters() if value.requires_grad]
        values = [value.detach().clone().requires_grad_() for value in seen.parameters() if value.requires_grad]
        student = found.student
        inner = [value for _, _, value in named_internals(student) if value.requires_grad]

        def losses(*given: Tensor, seen: _Seen = seen, names: Any = names, count: int = 3 + len(inner)) -> Any:
            return functional_call(seen, dict(zip(names, given[count:], strict=True)), given[:count])

        torch.autograd.gradcheck(losses, (student.image, student.text, torch.as_tensor(student.scale), *inner, *values))


def agreement(build: Build) -> None:
    """The loss is zero for a student that equals its teacher, with identity heads."""
    objective = build()
    found = drawn_inputs(objective)
    teacher = found.teacher
    student = Pairs(teacher.image, teacher.text, torch.tensor(20.0).double(), internals=teacher.internals)
    found = found._replace(student=student, head=identity(found.head))
    losses = losses_of(objective, found)
    if not torch.allclose(losses, torch.zeros_like(losses), atol=1e-6):
        raise Broken(f"student and teacher of the same embeddings and scale: found {brief(losses)}, expected 0")


def swapping(build: Build) -> None:
    """Swapping images and texts of student, teacher and bank does not change a sample's loss."""
    objective = build()
    found = drawn_inputs(objective)
    found = found._replace(head=identity(found.head))
    student, teacher, batch = found.student, found.teacher, found.batch
    bank = teacher.bank.swapped() if isinstance(teacher.bank, KitBank) else None
    swapped = ObjectiveInputs(
        replace(student, image=student.text, text=student.image),
        replace(teacher, image=teacher.text, text=teacher.image, bank=bank),
        found.head,
        replace(batch, images=batch.captions, captions=batch.images),
    )
    expected, losses = losses_of(objective, found), losses_of(objective, swapped)
    if losses.shape != expected.shape or not torch.allclose(losses, expected, atol=1e-8):
        raise Broken(f"modalities swapped, batch 6: {furthest(losses, expected)}")


def inputs_untouched(build: Build) -> None:
    """An objective does not change its inputs."""
    objective = build()
    found = drawn_inputs(objective, OTHER)
    before = {name: value.clone() for name, value in inputs(found).items()}
    losses_of(objective, found)
    for name, now in inputs(found).items():
        if not torch.equal(before[name], now):
            raise Broken(f"{name} has changed: {furthest(now, before[name])}")


PROPERTIES: dict[str, Property[Build]] = {
    "one loss per sample": per_sample,
    "finite": finite,
    "moves the student": moves_student,
    "gradient": gradient,
    "zero where teacher and student agree": agreement,
    "swapping modalities swaps directions": swapping,
    "inputs untouched": inputs_untouched,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about an objective."""
    with one_thread():
        return examine(PROPERTIES, build, waives)


def check_objective(build: Build, waives: Waives = ()) -> None:
    """Raises AssertionError that lists every property that fails."""
    insist(find(build, waives))


class _Seen(nn.Module):
    """An objective as a function of tensors, for functional_call to replace the head's parameters."""

    def __init__(self, objective: Objective, of: ObjectiveInputs) -> None:
        super().__init__()
        self.head = of.head
        self.objective = objective
        self.of = of

    def forward(self, image: Tensor, text: Tensor, scale: Tensor, *inner: Tensor) -> Tensor:
        given = iter(inner)
        student = self.of.student
        internals = {
            name: tuple(next(given) if value.requires_grad else value for value in values)
            for name, values in student.internals.items()
        }
        student = replace(student, image=image, text=text, scale=scale, internals=internals)
        return losses_of(self.objective, self.of._replace(student=student, head=self.head))
