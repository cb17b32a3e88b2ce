"""The distillation loss of one teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from kdbench.contracts.pairs import Batch, Pairs

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Objective(Protocol):
    """The distillation loss of one teacher. Several in a suite are summed with their coefficients."""

    def head(self, student_width: int, teacher_width: int) -> Module | None:
        """A module trained beside the student to compare the two, or None; its parameters do not count as the student's."""
        ...

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        """Loss per sample, [B], differentiable in the student and the head."""
        ...
