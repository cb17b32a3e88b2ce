"""`relational_kl`: the student's in-batch similarities follow the teacher's. CLIP-KD's CRD (Yang et al., CVPR 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class RelationalKL:
    """½[KL(σ(s_t v_t u_tᵀ/τ) ‖ σ(s v uᵀ/τ)) + the same transposed]·τ², per sample.

    Similarities have no width, so no head is needed. `temperature` is τ; τ² keeps the gradient's size (Hinton et al. 2015).
    """

    def __init__(self, *, temperature: Annotated[float, Field(gt=0)] = 1.0) -> None:
        self.temperature = temperature

    def head(self, student_width: int, teacher_width: int) -> Module | None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        from torch.nn.functional import kl_div, log_softmax

        own = student.scale * student.image @ student.text.T / self.temperature
        aim = teacher.scale * teacher.image @ teacher.text.T / self.temperature
        both = [
            kl_div(log_softmax(s, dim=1), log_softmax(t, dim=1), reduction="none", log_target=True).sum(dim=1)
            for s, t in ((own, aim), (own.T, aim.T))
        ]
        return (both[0] + both[1]) / 2 * self.temperature**2


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "relational_kl",
            RelationalKL,
            "KL between in-batch similarity distributions (CLIP-KD's CRD)",
            formula="ℓ = ½τ²[KL(σ(s_t v_t u_tᵀ/τ) ‖ σ(s v uᵀ/τ)) + the transpose]",
            source="CLIP-KD, Yang et al., CVPR 2024",
            status="published",
        )
    ]
