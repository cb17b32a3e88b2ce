"""The distillation loss of one teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from kdbench.contracts.pairs import Batch, Pairs

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Objective(Protocol):
    """The distillation loss of one teacher. If a suite lists several, they are summed with their coefficients.

    An objective whose attribute `one_tower` is true (by default it is false) works with teachers that lack a tower as well: it
    leaves out the modality whose embeddings are of width 0. `teacher_width` is then the width of the other.

    The optional method `fused_losses(student, teachers, weights, batch)` returns the losses [B] against one target of all
    teachers: their logits, fused by the weights [T, B, B] of a strategy.

    An objective that reads more of the models than their outputs has an attribute `internals`, the names of what it reads,
    such as `("maps",)` (`kdbench.contracts.internals`). `student.internals` and `teacher.internals` then hold these, and its
    method `internal_head(student, teacher)` is called in place of `head`, with the `Shapes` of both.
    """

    def head(self, student_width: int, teacher_width: int) -> Module | None:
        """A module for comparing student and teacher, such as a projection, trained with the student; None if not needed.

        Its parameters are not counted as the student's.
        """
        ...

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        """Loss per sample, [B], 0 or more, differentiable with respect to the student's embeddings and the head.

        `student` is shared by all losses of a step: what takes gradients of `student.logits` itself keeps their graph
        (`retain_graph=True`), and nothing of it is changed in place.
        """
        ...
