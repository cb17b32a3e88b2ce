"""`self_distill`: contrastive loss plus distance to the teacher's embeddings. PUMA, stage 1 (ACM MM 2025, arXiv 2507.08064).

A reconstruction: PUMA compares representations before they are normalised, while students and teachers here return unit
vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, ModuleList


class SelfDistill:
    """The student's InfoNCE and the squared distance to the teacher's embeddings per sample, mixed by `mix`.

    InfoNCE compares the student's image embeddings v and text embeddings u at `temperature` τ, both directions averaged;
    pairs of one concept are positives of each other. P and P' are linear maps to the teacher's width, whose outputs are not
    normalised again. Squared distances are summed over the width, not averaged: between unit vectors they are then of
    order 1 for any width, as InfoNCE is, and `scale` can be 1. (A mean over a width d equals this sum at scale 1/d.)
    """

    def __init__(
        self,
        *,
        mix: Annotated[float, Field(ge=0, le=1)] = 0.9,
        temperature: Annotated[float, Field(gt=0)] = 0.05,
        scale: Annotated[float, Field(gt=0)] = 1.0,
    ) -> None:
        self.mix = mix
        self.temperature = temperature
        self.scale = scale

    def head(self, student_width: int, teacher_width: int) -> Module:
        from kdbench_plugins.objectives.heads import linear_heads

        return linear_heads(student_width, teacher_width)

    def losses(self, student: Pairs, teacher: Pairs, head: ModuleList, batch: Batch) -> Tensor:
        from kdbench_plugins.objectives.info_nce import info_nce

        logits = student.image @ student.text.T / self.temperature
        task = (info_nce(logits, batch.same) + info_nce(logits.T, batch.same)) / 2
        image: Tensor = (head[0](student.image) - teacher.image).square().sum(dim=1)
        text: Tensor = (head[1](student.text) - teacher.text).square().sum(dim=1)
        return self.mix * task + (1 - self.mix) * self.scale * (image + text)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "self_distill",
            SelfDistill,
            "the student's own contrastive loss and the distance to the teacher's embeddings (PUMA, stage 1)",
            formula="ℓ = mix·InfoNCE(v uᵀ/τ) + (1 − mix)·scale·(‖P v − v_t‖² + ‖P' u − u_t‖²)",
            latex=(
                r"\ell = \mathrm{mix} \cdot \mathrm{InfoNCE}(v u^T / \tau) "
                r"+ (1 - \mathrm{mix}) \cdot \mathrm{scale} \cdot (\left\lVert P v - v_t \right\rVert^2 "
                r"+ \left\lVert P' u - u_t \right\rVert^2)"
            ),
            source="PUMA, Lyu et al., ACM MM 2025",
            status="reconstruction",
            waives={
                "zero where teacher and student agree": "its contrastive part: a matching pair still competes with others",
            },
        )
    ]
