"""`interactive`: the student's embeddings contrasted with the teacher's. CLIP-KD's ICL (Yang et al., CVPR 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, ModuleList


class Interactive:
    """InfoNCE per sample with the student's embeddings as queries and the teacher's as candidates, both directions averaged.

    v and u are the student's image and text embeddings, v_t and u_t the teacher's. P and P' are linear maps to the teacher's
    width; their outputs are normalised again. Pairs of one concept are positives of each other. The scale s is the
    student's, as in the task loss; CLIP-KD's released code learns a separate one for this loss, which starts at
    ln(1/.07) = 2.66 and multiplies without an exponential. The teacher's scale is not used. `head` is what P and P' are, as in
    `feature`.
    """

    def __init__(self, *, head: Literal["linear", "two_layer", "none"] = "linear") -> None:
        self.kind = head

    def head(self, student_width: int, teacher_width: int) -> Module:
        from kdbench_plugins.objectives.heads import heads

        return heads(self.kind, student_width, teacher_width)

    def losses(self, student: Pairs, teacher: Pairs, head: ModuleList, batch: Batch) -> Tensor:
        from torch.nn.functional import normalize

        from kdbench_plugins.objectives.info_nce import info_nce

        image, text = normalize(head[0](student.image), dim=1), normalize(head[1](student.text), dim=1)
        image_to_text = info_nce(student.scale * image @ teacher.text.T, batch.same)
        text_to_image = info_nce(student.scale * text @ teacher.image.T, batch.same)
        return (image_to_text + text_to_image) / 2


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "interactive",
            Interactive,
            "contrasts the student's embeddings with the teacher's of the other modality (CLIP-KD's ICL)",
            formula="ℓ = ½[InfoNCE(s·P v u_tᵀ) + InfoNCE(s·P' u v_tᵀ)]",
            latex=(
                r"\ell = \frac{1}{2} \left[\mathrm{InfoNCE}(s \, P v \, u_t^T) "
                r"+ \mathrm{InfoNCE}(s \, P' u \, v_t^T)\right]"
            ),
            source="CLIP-KD, Yang et al., CVPR 2024",
            status="published",
            waives={
                "zero where teacher and student agree": "contrastive: a matching pair still competes with the other pairs",
            },
        )
    ]
