"""`frequency`: low and high bands of feature maps match the teacher's. SDKD (ICCV 2025, arXiv 2507.02939).

A reconstruction: SDKD aligns latents of spatiotemporal forecasters, and its masks could not be read. The radial cut-off, the
heads and the choice of the layer are this file's; so is the use on an image tower's maps in retrieval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kdbench import Batch, KdbenchError, Objective, Offer, Pairs, Shapes, hookimpl
from kdbench_plugins.internals.clip_taps import MAPS

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class Frequency:
    """Mean squared differences of the high and of the low band, per sample, between a student's and a teacher's feature map.

    G is the student's map, [B, C, H, W], F the teacher's, brought to the student's grid by antialiased bilinear interpolation
    if it has another. Where they differ in channels, P is a learned 1×1 convolution without bias, otherwise the identity. Ψ_l
    keeps wavenumbers up to `cutoff` times the largest along an axis, Ψ_h the others; `alpha` weights the low band. `bands`
    takes one of the terms alone, the low one with its weight. `layer` and `teacher_layer` are the places of the maps among
    those that student and teacher expose, -1 the last: the last of small image towers have too few pixels for two bands.
    """

    internals = (MAPS,)

    def __init__(
        self,
        *,
        alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0,
        cutoff: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        bands: Literal["both", "low", "high"] = "both",
        layer: int = -1,
        teacher_layer: int = -1,
    ) -> None:
        self.alpha, self.cutoff, self.bands = alpha, cutoff, bands
        self.layer, self.teacher_layer = layer, teacher_layer

    def head(self, student_width: int, teacher_width: int) -> Module | None:  # noqa: ARG002
        return None

    def internal_head(self, student: Shapes, teacher: Shapes) -> Module | None:
        """A 1×1 convolution, None for equal channels. Raises KdbenchError for a layer that does not exist."""
        from torch import nn

        own = placed("layer", self.layer, student[MAPS], "student")[0]
        aim = placed("teacher_layer", self.teacher_layer, teacher[MAPS], "teacher")[0]
        return None if own == aim else nn.Conv2d(own, aim, kernel_size=1, bias=False)

    def losses(self, student: Pairs, teacher: Pairs, head: Module | None, batch: Batch) -> Tensor:  # noqa: ARG002
        from kdbench_plugins.objectives.bands import high_band, low_band
        from kdbench_plugins.objectives.resized import resized

        own, aim = student.internals[MAPS][self.layer], teacher.internals[MAPS][self.teacher_layer]
        apart = (own if head is None else head(own)) - resized(aim, own.shape[-2:])
        terms = []  # bands are linear: the difference of bands is the band of the difference
        if self.bands != "low":
            terms.append(high_band(apart, self.cutoff).square().mean(dim=(1, 2, 3)))
        if self.bands != "high":
            terms.append(self.alpha * low_band(apart, self.cutoff).square().mean(dim=(1, 2, 3)))
        return sum(terms[1:], terms[0])


def placed(parameter: str, layer: int, shapes: Any, whose: str) -> tuple[int, ...]:
    """The shape of the map at a place. Raises KdbenchError if there is none."""
    if not -len(shapes) <= layer < len(shapes):
        raise KdbenchError(
            f"objective frequency: {parameter}: found {layer}; expected a number from {-len(shapes)} to {len(shapes) - 1}, as "
            f"the {whose} exposes {len(shapes)} maps"
        )
    found: tuple[int, ...] = shapes[layer]
    return found


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "frequency",
            Frequency,
            "low and high bands of feature maps match the teacher's (SDKD)",
            formula="ℓ = ‖Ψ_h(P G) − Ψ_h(F)‖² + α‖Ψ_l(P G) − Ψ_l(F)‖²",
            latex=(
                r"\ell = \left\lVert \Psi_h(P G) - \Psi_h(F) \right\rVert^2 "
                r"+ \alpha \left\lVert \Psi_l(P G) - \Psi_l(F) \right\rVert^2"
            ),
            source="SDKD, arXiv 2507.02939",
            status="reconstruction",
            also=("forecasting",),
        )
    ]
