"""What a strategy sees in a step, computed only when it looks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from kdbench.contracts import Batch, Pairs
from kdbench.tasks.retrieval.losses import image_to_text_probs, logits, losses_of
from kdbench.training.distributed import ALONE, World


@dataclass(frozen=True)
class Graph:
    """The differentiable side of a step, which strategies never see.

    `losses` are T of [B], each with a graph of its own that begins at copies of the student's embeddings. `heads` are the
    parameters each teacher trains beside the student. `roots` are the student's own outputs with the graph of its towers,
    for whoever wants gradients at the `parameters`; in a `world` of several ranks they are this rank's rows.
    """

    losses: Sequence[Tensor]
    student: Pairs
    heads: Sequence[Sequence[Tensor]]
    roots: Sequence[Tensor] = ()
    parameters: Sequence[Tensor] = ()
    world: World = ALONE

    def leaves(self, teacher: int) -> list[Tensor]:
        """Where a teacher's loss ends: both embeddings, the scale if it is learned, the teacher's heads."""
        scale = self.student.scale
        learned = [scale] if isinstance(scale, Tensor) and scale.requires_grad else []
        return [self.student.image, self.student.text, *learned, *(p for p in self.heads[teacher] if p.requires_grad)]


def moment(values: Tensor) -> float:
    """Seconds on a clock, when all that was asked of the device of `values` is done."""
    if values.is_cuda:
        torch.cuda.synchronize(values.device)
    return time.perf_counter()


class StepSignal:
    """Implements `Signal` over the graph of a step. Nothing it returns carries a gradient.

    Gradients are taken at the student's embeddings, where every teacher's loss begins: each costs the backward of its
    head alone, and none runs through the student.
    """

    def __init__(
        self,
        graph: Graph,
        teachers: Sequence[Pairs],
        names: Sequence[str],
        batch: Batch,
        task_losses: Tensor,
        generator: Generator,
    ) -> None:
        self._graph = graph
        self._teachers = teachers
        self._task_losses = task_losses
        self.leaf_seconds = 0.0  # what `leaf_gradients` has taken
        self.teachers = tuple(names)
        self.batch = batch
        self.generator = generator

    @cached_property
    def losses(self) -> Tensor:
        return torch.stack([losses.detach() for losses in self._graph.losses])

    @cached_property
    def task_losses(self) -> Tensor:
        return self._task_losses.detach()

    @cached_property
    def embeddings(self) -> Tensor:
        return torch.stack([self._graph.student.image, self._graph.student.text]).detach()

    @cached_property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        return tuple(torch.stack([teacher.image, teacher.text]).detach() for teacher in self._teachers)

    @cached_property
    def student_probs(self) -> Tensor:
        return image_to_text_probs(logits(self._graph.student)).detach()

    @cached_property
    def _teacher_logits(self) -> list[Tensor]:
        return [logits(teacher).detach() for teacher in self._teachers]

    @cached_property
    def teacher_probs(self) -> Tensor:
        return torch.stack([image_to_text_probs(scores) for scores in self._teacher_logits])

    @cached_property
    def truth_losses(self) -> Tensor:
        return torch.stack([losses_of(scores, self.batch.same) for scores in self._teacher_logits])

    @cached_property
    def leaf_gradients(self) -> list[list[Tensor]]:
        """Of each teacher's mean loss at all of its leaves: a step that has them need not run those backwards again."""
        started = moment(self._task_losses)
        found = [
            # A loss may look at one tower only; the other's gradient is then zero.
            list(torch.autograd.grad(losses.mean(), self._graph.leaves(t), retain_graph=True, materialize_grads=True))
            for t, losses in enumerate(self._graph.losses)
        ]
        self.leaf_seconds = moment(self._task_losses) - started
        return found

    @cached_property
    def gradients(self) -> Tensor:
        return torch.stack([torch.cat([grad.flatten() for grad in grads[:2]]) for grads in self.leaf_gradients])

    @cached_property
    def gramian(self) -> Tensor:
        # Where teachers nearly agree, float32 sums lose the very difference that a strategy asks about.
        gradients = self.gradients.double()
        return gradients @ gradients.T

    @cached_property
    def parameter_gramian(self) -> Tensor:
        scale, world = self._graph.student.scale, self._graph.world
        ends = [*enumerate(self._graph.roots), *([(2, scale)] if isinstance(scale, Tensor) else [])]  # by place of their leaf
        ends = [(place, end) for place, end in ends if end.requires_grad]
        rows = []
        for grads in self.leaf_gradients:
            found = torch.autograd.grad(
                [end for _, end in ends],
                list(self._graph.parameters),
                # The scale's is the same on every rank, and the first counts it.
                [(world.own(grads[place]) if place < 2 else grads[place] * world.first).to(end.dtype) for place, end in ends],
                retain_graph=True,
                materialize_grads=True,
            )
            rows.append(world.sum(torch.cat([grad.flatten() for grad in found])).double())
        stacked = torch.stack(rows)
        return stacked @ stacked.T
