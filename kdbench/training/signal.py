"""The signal of a step that strategies read; values are computed when they are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from kdbench.contracts import Outputs, Task
from kdbench.contracts.values import Owned
from kdbench.training.distributed import ALONE, World
from kdbench.training.inner_products import inner_products
from kdbench.training.internals import internal_tensors


@dataclass(frozen=True)
class Graph:
    """The differentiable side of a step, which strategies never see.

    `losses` are T tensors [B], whose graphs start at copies of the student's outputs and may share what they compute of the
    student alone. `heads` are the parameters of each teacher's heads. `roots` are the points with the student's graph, for
    gradients with respect to the `parameters`; in a `world` of several ranks they are this rank's rows.
    """

    losses: Sequence[Tensor]
    student: Outputs
    heads: Sequence[Sequence[Tensor]]
    roots: Sequence[Tensor] = ()
    parameters: Sequence[Tensor] = ()
    world: World = ALONE

    @cached_property
    def points(self) -> list[Tensor]:
        """Where gradients per teacher are taken: the output tensors, then the internals that objectives read."""
        return [*self.student.tensors, *internal_tensors(self.student)]

    def leaves(self, teacher: int) -> list[Tensor]:
        """The leaves of a teacher's loss: the points, further learned tensors, the teacher's heads."""
        learned = self.student.learned
        return [*self.points, *learned, *(p for p in self.heads[teacher] if p.requires_grad)]


def moment(values: Tensor) -> float:
    """The time in seconds after all work queued on the device of `values` is done."""
    if values.is_cuda:
        torch.cuda.synchronize(values.device)
    return time.perf_counter()


class StepSignal:
    """Implements `Signal` over the graph of a step. Nothing it returns carries a gradient.

    Gradients are taken at the student's outputs, and at internals if an objective reads them, where every teacher's loss
    starts: each costs only a backward through its head and none through the student.
    """

    def __init__(
        self,
        task: Task,
        graph: Graph,
        teachers: Sequence[Owned],
        names: Sequence[str],
        batch: Owned,
        task_losses: Tensor,
        generator: Generator,
        timed: bool = True,
    ) -> None:
        self._task = task
        self._graph = graph
        self._teachers = teachers
        self._task_losses = task_losses
        self._timed = timed
        self.leaf_seconds = 0.0  # spent on `leaf_gradients`, if `timed`
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
        return self._task.embeddings(self._graph.student).detach()

    @cached_property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        return tuple(self._task.embeddings(teacher).detach() for teacher in self._teachers)

    @cached_property
    def student_probs(self) -> Tensor:
        return self._task.distributions(self._graph.student).detach()

    @cached_property
    def teacher_probs(self) -> Tensor:
        return torch.stack([self._task.distributions(teacher).detach() for teacher in self._teachers])

    @cached_property
    def truth_losses(self) -> Tensor:
        return torch.stack([self._task.losses(teacher, self.batch).detach() for teacher in self._teachers])

    @cached_property
    def leaf_gradients(self) -> list[list[Tensor]]:
        """The gradients of each teacher's mean loss at all its leaves, cached: the step reuses them."""
        started = moment(self._task_losses) if self._timed else 0.0
        found = [
            # A loss may read only one output; the gradients of the others are then zero.
            list(torch.autograd.grad(losses.mean(), self._graph.leaves(t), retain_graph=True, materialize_grads=True))
            for t, losses in enumerate(self._graph.losses)
        ]
        self.leaf_seconds = moment(self._task_losses) - started if self._timed else 0.0
        return found

    @cached_property
    def gradients(self) -> Tensor:
        count = len(self._graph.points)
        return torch.stack([torch.cat([grad.flatten() for grad in grads[:count]]) for grads in self.leaf_gradients])

    @cached_property
    def task_gradient(self) -> Tensor:
        points = self._graph.points
        found = torch.autograd.grad(self._task_losses.mean(), points, retain_graph=True, materialize_grads=True)
        return torch.cat([grad.flatten() for grad in found])

    @cached_property
    def gramian(self) -> Tensor:
        count = len(self._graph.points)
        return inner_products([grads[:count] for grads in self.leaf_gradients])

    @cached_property
    def parameter_gramian(self) -> Tensor:
        world, roots = self._graph.world, self._graph.roots
        ends = [*enumerate(roots), *enumerate(self._graph.student.learned, len(roots))]  # by index of their leaf
        ends = [(position, end) for position, end in ends if end.requires_grad]
        rows = []
        for grads in self.leaf_gradients:
            found = torch.autograd.grad(
                [end for _, end in ends],
                list(self._graph.parameters),
                # Learned tensors above the outputs have the same gradient on every rank; only rank 0 counts it.
                [
                    (world.own(grads[position]) if position < len(roots) else grads[position] * world.first).to(end.dtype)
                    for position, end in ends
                ],
                retain_graph=True,
                materialize_grads=True,
            )
            rows.append([world.sum(torch.cat([grad.flatten() for grad in found]))])
        return inner_products(rows)
