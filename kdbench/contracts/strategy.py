"""How teachers are weighted, and what a strategy may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kdbench.contracts.pairs import Batch

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Signal(Protocol):
    """What a strategy may look at in a step. Lazy: what is not read is not computed. All of it is detached."""

    @property
    def losses(self) -> Tensor:
        """[T, B]: the distillation loss of each teacher on each sample."""
        ...

    @property
    def truth_losses(self) -> Tensor:
        """[T, B]: cross-entropy of each teacher's in-batch distributions against the true pairs, both ways averaged."""
        ...

    @property
    def task_losses(self) -> Tensor:
        """[B]: the student's own loss on each sample, its cross-entropy against the true pairs."""
        ...

    @property
    def teacher_probs(self) -> Tensor:
        """[T, B, B]: each teacher's in-batch distribution of texts for each image."""
        ...

    @property
    def student_probs(self) -> Tensor:
        """[B, B]: the student's."""
        ...

    @property
    def embeddings(self) -> Tensor:
        """[2, B, d]: the student's image and text embeddings."""
        ...

    @property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        """T of [2, B, d_t]: each teacher's image and text embeddings."""
        ...

    @property
    def gradients(self) -> Tensor:
        """[T, 2·B·d]: of each teacher's mean loss at the student's embeddings, both towers flattened together."""
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
    """Decides how the teachers' voices are weighted. One instance serves one run.

    Optional methods, called where they exist: `observe(loss: float)` after each step with the task loss,
    `end_epoch(validation: dict[str, float] | None)` after each epoch with the validation metrics if they were measured,
    `state_dict()` with `load_state_dict(state)` (tensors, numbers, strings, lists, dicts) if it remembers anything, and
    `report() -> dict[str, float]` with figures of its own worth a curve beside the weights. A strategy whose attribute
    `raw` is true may give finite weights of any sign and sum, which then act as a hidden learning rate.
    """

    def weigh(self, signal: Signal) -> Tensor:
        """Weights [T] or [T, B], not negative, summing to one over the teachers."""
        ...
