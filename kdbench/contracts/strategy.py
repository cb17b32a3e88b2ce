"""How teachers are weighted, and what a strategy can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kdbench.contracts.pairs import Batch

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Signal(Protocol):
    """What a strategy can read at a step. Lazy: only what is read is computed. All tensors are detached.

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
        """[T, B, C]: each teacher's distribution over candidates for each sample; in retrieval, over the batch's texts for each
        image. Raises PluginError if the task has none; like `truth_losses` and `teacher_embeddings` also if a teacher lacks a
        tower."""
        ...

    @property
    def student_probs(self) -> Tensor:
        """[B, C]: the student's distribution over the same candidates."""
        ...

    @property
    def embeddings(self) -> Tensor:
        """[O, B, …]: the student's output tensors; in retrieval its image and text embeddings, [2, B, d]."""
        ...

    @property
    def teacher_embeddings(self) -> tuple[Tensor, ...]:
        """T tensors [O, B, …]: each teacher's output tensors; in retrieval [2, B, d_t]."""
        ...

    @property
    def gradients(self) -> Tensor:
        """[T, n]: gradient of each teacher's mean loss with respect to the student's output tensors, flattened and
        concatenated; in retrieval n = 2·B·d."""
        ...

    @property
    def task_gradient(self) -> Tensor:
        """[n]: gradient of the student's mean task loss, flattened like `gradients`."""
        ...

    @property
    def gramian(self) -> Tensor:
        """[T, T]: inner products of those gradients, in float64."""
        ...

    @property
    def parameter_gramian(self) -> Tensor:
        """[T, T]: the same for gradients with respect to the student's parameters. Costs one backward through the student per
        teacher."""
        ...

    teachers: tuple[str, ...]  # names, in the order of the axis T
    batch: Batch
    generator: Generator  # for strategies that draw; seeded from the run's seed and the step


class Strategy(Protocol):
    """Decides how the teachers are weighted. Each run has its own instance.

    Optional methods, called if they exist: `observe(loss: float)` after each step with the task loss,
    `observe_after(losses: Tensor)` before it with the distillation losses [T, B] that the changed student has on the same
    batch (costs a forward pass of the student),
    `end_epoch(validation: dict[str, float] | None)` after each epoch with the validation metrics if they were measured,
    `state_dict()` and `load_state_dict(state)` (tensors, numbers, strings, lists, dicts) if it has state, and
    `report() -> dict[str, float]` for figures of its own, recorded in the trace beside the weights. A strategy whose
    attribute `raw` is true may return finite weights of any sign and sum; these also change the effective learning rate.

    One that reads teachers' probabilities, embeddings or losses against the truth has an attribute `one_tower` that is false
    (by default it is true): `kdbench check` then refuses it beside a teacher that lacks a tower. If its attribute `per_pair` is
    true, its weights are [T, B, B], and objectives that cannot fuse logits are refused as well.

    `check_teams(teams: Sequence[Sequence[str]], dataset)`, if it exists, is called by `kdbench check` and before runs with the
    names of teachers of a suite's teams of two and more, and with each dataset that is trained on, None for a smoke run. It
    raises KdbenchError for parameters that fit no team or no sample and warns of those that fit some, reading indices only.
    """

    def weigh(self, signal: Signal) -> Tensor:
        """Returns weights [T], [T, B] or [T, B, B], nonnegative, summing to one over the teachers.

        Weights per pair, [T, B, B], fuse the teachers' logits into one target, by the objective's `fused_losses`.
        """
        ...
