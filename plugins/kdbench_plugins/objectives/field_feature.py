"""`field_feature`: squared distance between the student's and the teacher's latent maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench import Objective, Offer, Shapes, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

TINY = 1e-12  # below the mean square of any latent map: one of zeros divides by no zero


class FieldFeature:
    """Mean squared difference per sample between the student's latent map under a learned 1 × 1 convolution and the teacher's.

    A teacher's map on another grid is brought to the student's by antialiased bilinear interpolation. The difference is divided
    by the mean square of the teacher's map over the batch: whatever the scale of the teacher's features, the loss of a map of
    zeros is about 1.
    """

    internals = ("maps",)

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def internal_head(self, student: Shapes, teacher: Shapes) -> Module:
        from torch import nn

        return nn.Conv2d(student["maps"][-1][0], teacher["maps"][-1][0], kernel_size=1, bias=False)

    def losses(self, student: Any, teacher: Any, head: Module, batch: Any) -> Tensor:  # noqa: ARG002
        from kdbench_plugins.objectives.resized import resized

        own = student.internals["maps"][-1]
        aim = resized(teacher.internals["maps"][-1], own.shape[-2:])
        squares: Tensor = (head(own) - aim).square().flatten(1).mean(dim=1)
        return squares / aim.square().mean().clamp_min(TINY)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "field_feature",
            FieldFeature,
            "squared difference between the student's projected latent map and the teacher's",
            formula="ℓ = mean (P z − z_t)² / mean z_t², P a 1 × 1 convolution",
            latex=(
                r"\ell = \operatorname{mean} \left( P z - z_t \right)^2 / \operatorname{mean} z_t^2, "
                r"\quad P \text{ a } 1 \times 1 \text{ convolution}"
            ),
            source="FitNets, Romero et al., ICLR 2015 (a convolutional regressor on hidden maps); the scale is kdbench's",
            status="published",
            task="forecasting",
        )
    ]
