"""What a strategy sees in a step, computed only when it looks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Generator, Tensor

from kdbench.contracts import Pairs
from kdbench.losses import image_to_text_probs, pair_losses


class StepSignal:
    """Implements `Signal` over the graph of a step. Nothing it returns carries a gradient.

    Gradients are taken at the student's embeddings, where every teacher's loss begins: each costs the backward of its
    head alone, and none runs through the student.
    """

    def __init__(
        self,
        losses: Tensor,
        student: Pairs,
        teachers: Sequence[Pairs],
        names: Sequence[str],
        same: Tensor,
        progress: float,
        generator: Generator,
    ) -> None:
        self._losses = losses
        self._student = student
        self._teachers = teachers
        self._same = same
        self.teachers = tuple(names)
        self.progress = progress
        self.generator = generator

    @cached_property
    def losses(self) -> Tensor:
        return self._losses.detach()

    @cached_property
    def embeddings(self) -> Tensor:
        return torch.stack([self._student.image, self._student.text]).detach()

    @cached_property
    def student_probs(self) -> Tensor:
        return image_to_text_probs(self._student).detach()

    @cached_property
    def teacher_probs(self) -> Tensor:
        return torch.stack([image_to_text_probs(teacher) for teacher in self._teachers]).detach()

    @cached_property
    def truth_losses(self) -> Tensor:
        return torch.stack([pair_losses(teacher, self._same) for teacher in self._teachers]).detach()

    @cached_property
    def gradients(self) -> Tensor:
        leaves = (self._student.image, self._student.text)
        rows = []
        for losses in self._losses:
            # A loss may look at one tower only; the other's gradient is then zero.
            grads = torch.autograd.grad(losses.mean(), leaves, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([grad.flatten() for grad in grads]))
        return torch.stack(rows)

    @cached_property
    def gramian(self) -> Tensor:
        # Where teachers nearly agree, float32 sums lose the very difference that a strategy asks about.
        gradients = self.gradients.double()
        return gradients @ gradients.T
