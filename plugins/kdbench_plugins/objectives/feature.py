"""`feature`: squared distance between projected student and teacher embeddings. CLIP-KD's FD (Yang et al., CVPR 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, ModuleList


class Feature:
    """Squared distance per sample between the student's projected embeddings and the teacher's.

    v and u are the student's image and text embeddings, v_t and u_t the teacher's. P and P' are linear maps, one per tower;
    P v and P' u are normalised again, hence the loss is between 0 and 8 for any width. (CLIP-KD averages over the width
    instead and weights the result by 2000.) A tower that the teacher lacks is left out. `head` is what P and P' are: `linear`
    maps, networks of `two_layer`, or `none` for equal widths.
    """

    one_tower = True

    def __init__(self, *, head: Literal["linear", "two_layer", "none"] = "linear") -> None:
        self.kind = head

    def head(self, student_width: int, teacher_width: int) -> Module:
        from kdbench_plugins.objectives.heads import heads

        return heads(self.kind, student_width, teacher_width)

    def losses(self, student: Pairs, teacher: Pairs, head: ModuleList, batch: Batch) -> Tensor:  # noqa: ARG002
        from torch.nn.functional import normalize

        halves = [
            (normalize(project(own), dim=1) - aim).square().sum(dim=1)
            for project, own, aim in ((head[0], student.image, teacher.image), (head[1], student.text, teacher.text))
            if aim.shape[1] > 0
        ]
        return sum(halves[1:], halves[0])


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "feature",
            Feature,
            "squared distance between projected student and teacher embeddings (CLIP-KD's FD)",
            formula="ℓ = ‖P v − v_t‖² + ‖P' u − u_t‖²",
            latex=r"\ell = \left\lVert P v - v_t \right\rVert^2 + \left\lVert P' u - u_t \right\rVert^2",
            source="CLIP-KD, Yang et al., CVPR 2024",
            status="published",
        )
    ]
