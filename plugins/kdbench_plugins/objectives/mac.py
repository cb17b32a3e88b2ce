"""`mac`: modality-adaptive contrastive loss, PUMA's second stage (Lyu et al., ACM MM 2025, arXiv 2507.08064).

A loss of the student alone: the teacher is not used. All teachers of a team have the same loss, so with weights that sum to 1
it counts once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Mac:
    """InfoNCE of logits s_ij/τ_ij per sample; s_ij is the cosine of query i and target j of the batch.

    Pairs with an even index use the image as query and the text as target, pairs with an odd index the reverse: every query
    has candidates of both modalities. If the targets of i and j are of one modality, τ_ij falls from `temperature` by the
    factor exp(−min(½, progress)), also for positives; otherwise it is constant. Targets of the query's concept are its
    positives.
    """

    def __init__(self, *, temperature: Annotated[float, Field(gt=0)] = 0.03) -> None:
        self.temperature = temperature

    def head(self, student_width: int, teacher_width: int) -> Module | None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        import torch

        from kdbench_plugins.objectives.info_nce import info_nce

        odd = torch.arange(len(student.image), device=student.image.device) % 2 == 1
        queries = torch.where(odd[:, None], student.text, student.image)
        targets = torch.where(odd[:, None], student.image, student.text)
        cosines = queries @ targets.T
        intra = cosines / self.intra_temperature(batch.progress)
        return info_nce(torch.where(odd[:, None] == odd, intra, cosines / self.temperature), batch.same)

    def intra_temperature(self, progress: float) -> float:
        """τ between targets of one modality, at `progress` from 0 to 1."""
        return self.temperature * math.exp(-min(0.5, progress))


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "mac",
            Mac,
            "the student's contrastive loss; its temperature within a modality falls during training (PUMA, stage 2)",
            formula="ℓ = InfoNCE(s_ij/τ_ij), τ_ij = τ·exp(−min(½, progress)) within a target modality, else τ",
            latex=(
                r"\ell = \mathrm{InfoNCE}(s_{ij} / \tau_{ij}), "
                r"\quad \tau_{ij} = \tau \, \exp\left(-\min(\frac{1}{2}, \mathrm{progress})\right) "
                r"\text{ within a target modality, else } \tau"
            ),
            source="PUMA, Lyu et al., ACM MM 2025",
            status="published",
            waives={
                "zero where teacher and student agree": "contrastive, and the teacher is not used",
                "swapping modalities swaps directions": "pairs alternate: swapping modalities swaps even and odd pairs",
            },
        )
    ]
