"""`relational_within`: distances and angles within a modality match the teacher's. RKD (Park et al., CVPR 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RelationalWithin:
    """RKD within one modality, averaged over those of `modality` that the teacher has: images among images, texts among texts.

    With D the distances of a batch's embeddings over their mean and A the cosines of the angles at each embedding between all
    pairs of others, the loss of sample i is `distance` times the Huber loss of D [i, j] plus `angle` times that of A [i, j, k],
    averaged over j and over j, k. The mean over samples is RKD's loss; its paper weighs distances to angles by 1 to 2. Neither
    depends on the width, so there is no head. Angles take memory for B³ + B²·d numbers: for large batches set `angle: 0`.

    With `one_sided`, a distance counts only where the student is farther than the teacher, for pairs nearer than the teacher's
    median distance, or nearer than the teacher, for all other pairs (after ARKD, arXiv 2512.20157, known second hand).
    """

    one_tower = True

    def __init__(
        self,
        *,
        modality: Literal["both", "image", "text"] = "both",
        distance: NotNegative = 1.0,
        angle: NotNegative = 2.0,
        one_sided: bool = False,
    ) -> None:
        self.modality: Literal["both", "image", "text"] = modality
        self.distance = distance
        self.angle = angle
        self.one_sided = one_sided

    def head(self, student_width: int, teacher_width: int) -> Module | None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: None, batch: Batch) -> Tensor:  # noqa: ARG002
        found = [
            self._within(own, aim)
            for name, own, aim in (("image", student.image, teacher.image), ("text", student.text, teacher.text))
            if self.modality in ("both", name) and aim.shape[1] > 0
        ]
        return sum(found[1:], found[0]) / len(found)

    def _within(self, own: Tensor, aim: Tensor) -> Tensor:
        from torch.nn.functional import smooth_l1_loss

        losses = own.new_zeros(len(own))
        if self.distance > 0:
            found, expected = distances(own), distances(aim)
            huber = smooth_l1_loss(found, expected, reduction="none")
            if self.one_sided:
                near = expected < expected[expected > 0].median()
                huber = huber * ((found > expected) == near)
            losses = losses + self.distance * huber.mean(dim=1)
        if self.angle > 0:
            huber = smooth_l1_loss(angles(own), angles(aim), reduction="none")
            losses = losses + self.angle * huber.mean(dim=(1, 2))
        return losses


def distances(vectors: Tensor) -> Tensor:
    """Distances [B, B] of vectors [B, d] over the mean of those above 0; 0 if all vectors are equal."""
    import torch

    found = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    return found / (found.sum() / (found > 0).sum().clamp_min(1)).clamp_min(1e-6)


def angles(vectors: Tensor) -> Tensor:
    """Cosines of the angles at vector i between j and k, [B, B, B]; 0 where j or k equals i."""
    import torch
    from torch.nn.functional import normalize

    apart = vectors[None] - vectors[:, None]
    # The direction between equal vectors is undefined, and its gradient would exceed every other.
    known = apart.detach().norm(dim=2, keepdim=True) > 1e-6
    directions = normalize(torch.where(known, apart, 0.0), dim=2)
    return directions @ directions.transpose(1, 2)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "relational_within",
            RelationalWithin,
            "distances and angles among images, and among texts, match the teacher's (RKD)",
            formula="ℓ = Σⱼ h(Dᵢⱼ − Dᵗᵢⱼ)/B + 2 Σⱼₖ h(Aᵢⱼₖ − Aᵗᵢⱼₖ)/B², averaged over images and texts; h Huber's",
            latex=(
                r"\ell = \frac{1}{B} \sum_j h(D_{ij} - D^t_{ij}) + \frac{2}{B^2} \sum_{jk} h(A_{ijk} - A^t_{ijk}), "
                r"\quad \text{averaged over images and texts; } h \text{ Huber's}"
            ),
            source="RKD, Park et al., CVPR 2019, arXiv 1904.05068",
            status="published",
        )
    ]
