"""`relational_kl`: the student's in-batch similarities match the teacher's. CLIP-KD's CRD (Yang et al., CVPR 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class RelationalKL:
    """KL divergence per sample between the teacher's and the student's in-batch distributions, both directions averaged.

    v and u are the student's image and text embeddings and s its scale; v_t, u_t and s_t are the teacher's. Similarities do
    not depend on the width, so there is no head. `temperature` is τ; the factor τ² keeps the size of the gradient (Hinton et
    al. 2015).
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
