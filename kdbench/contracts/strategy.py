"""How teachers are weighted, and what a strategy may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kdbench.contracts.pairs import Batch

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Signal(Protocol):
    """What a strategy may read of a step. Lazy: what is not read is not computed. All of it is detached.

    Shapes: T teachers, B samples, O output tensors of the task; image-text retrieval has two, image and text embeddings.
    """

    @property
    def losses(self) -> Tensor:
        """[T, B]: the distillation loss of each teacher on each sample."""
        ...

    @property
    def truth_losses(self) -> Tensor:
        """[T, B]: the task's loss of each teacher against the truth; in retrieval, cross-entropy both ways averaged."""
        ...

    @property
    def task_losses(self) -> Tensor:
        """[B]: the task's loss of the student against the truth."""
        ...

    @property
    def teacher_probs(self) -> Tensor:
        """[T, B, C]: each teacher's distribution over candidates for each sample; in retrieval, of the batch's texts for each
        image. Raises PluginError if the task has none."""
        ...

    @property
    def student_probs(self) -> Tensor:
        """[B, C]: the student's."""
        ...

    @property
    def embeddings(self) -> Tensor:
        """[O, B, …]: the student's output tensors; in retrieval its image and text embeddings, [2, B, d]."""
        ...

    @property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        """T of [O, B, …]: each teacher's output tensors; in retrieval [2, B, d_t]."""
        ...

    @property
    def gradients(self) -> Tensor:
        """[T, n]: of each teacher's mean loss at the student's output tensors, flattened and concatenated; in retrieval
        n = 2·B·d."""
        ...

    @property
    def gramian(self) -> Tensor:
        """[T, T]: inner products of those gradients, in float64."""
        ...

    @property
    def parameter_gramian(self) -> Tensor:
        """[T, T]: the same at the student's parameters. Costs a backward through the student for each teacher."""
        ...

    teachers: tuple[str, ...]  # names, in the order of T
    batch: Batch
    generator: Generator  # for strategies that draw; seeded from the run's seed and the step


class Strategy(Protocol):
    """Decides how the teachers are weighted. One instance serves one run.

    Optional methods, called where they exist: `observe(loss: float)` after each step with the task loss,
    `end_epoch(validation: dict[str, float] | None)` after each epoch with the validation metrics if they were measured,
    `state_dict()` with `load_state_dict(state)` (tensors, numbers, strings, lists, dicts) if it remembers anything, and
    `report() -> dict[str, float]` with figures of its own worth a curve beside the weights. A strategy whose attribute
    `raw` is true may give finite weights of any sign and sum, which then act as a hidden learning rate.
    """

    def weigh(self, signal: Signal) -> Tensor:
        """Weights [T] or [T, B], not negative, summing to one over the teachers."""
        ...
