"""`field_feature`: squared distance between the student's and the teacher's latent maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench import Objective, Offer, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class FieldFeature:
    """Mean squared difference per sample between the student's latent map under a learned 1 × 1 convolution and the teacher's.

    The student's map is resized to the grid of the teacher's, bilinearly, by averaging where the grid is coarser. The
    difference is divided by the mean square of the teacher's map over the batch, so that the loss is 1 for a student of zeros
    whatever the scale of the teacher's features.
    """

    def head(self, student_width: int, teacher_width: int) -> Module:
        from torch import nn

        return nn.Conv2d(student_width, teacher_width, kernel_size=1, bias=False)

    def losses(self, student: Any, teacher: Any, head: Module, batch: Any) -> Tensor:  # noqa: ARG002
        from torch.nn.functional import interpolate

        aim = teacher.latent
        own = student.latent
        if own.shape[2:] != aim.shape[2:]:
            own = interpolate(own, size=aim.shape[2:], mode="bilinear", antialias=True)
        squares: Tensor = (head(own) - aim).square().flatten(1).mean(dim=1)
        return squares / aim.square().mean().clamp_min(1e-12)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "field_feature",
            FieldFeature,
            "squared difference between the student's projected latent map and the teacher's",
            formula="ℓ = mean (P z − z_t)² / mean z_t², P a 1 × 1 convolution",
            latex=r"\ell = \operatorname{mean} \left( P z - z_t \right)^2 / \operatorname{mean} z_t^2",
            source="FitNets, Romero et al., ICLR 2015 (a convolutional regressor on hidden maps); the scale is kdbench's",
            status="published",
            task="forecasting",
        )
    ]
