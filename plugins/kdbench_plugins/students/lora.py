"""`lora`: a frozen student with low-rank additions to its weights (Hu et al., ICLR 2022, arXiv 2106.09685)."""

from __future__ import annotations

from typing import Annotated, Any

from kdbench import Offer, Student, Uses, hookimpl
from kdbench_plugins.students.adapted import Adapted, Layers, Rank, Scale, chosen
from kdbench_plugins.students.clip_config import SMALL


class Lora(Adapted):
    """Trains W + scale·B A in place of each weight W of `student`: A and B of `rank`, W frozen, B zero at first.

    `layers` are patterns of the names of layers that get an addition, such as `clip.visual.*`: linear layers, convolutions
    and the projections of attention. All else keeps its weights, running statistics of batch norms too, but the logit scale.
    After the training, the additions are merged: what is exported has the student's own architecture and cost. A student that
    was not trained before, such as by `warm_start` or from a checkpoint, has little to add to.
    """

    name = "lora"
    linear = False

    def __init__(
        self,
        *,
        student: Annotated[dict[str, Any], Uses("student")],
        rank: Rank = 4,
        scale: Scale = 1.0,
        layers: Layers = ["*"],  # noqa: B006
    ) -> None:
        from kdbench_plugins.students.low_rank import Adapters, LowRank

        super().__init__(student)
        places = chosen(self.name, self.module, layers)
        self.adapters = Adapters(self.module, places, lambda weight: LowRank(weight, rank, scale, linear=self.linear))


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "lora",
            Lora,
            "another student, frozen, with low-rank additions to its weights that are merged afterwards (LoRA)",
            formula="h = W₀ x + scale·B A x, B = 0 at first",
            latex=r"h = W_0 x + \mathrm{scale} \cdot B A x, \quad B = 0 \text{ at first}",
            source="LoRA, Hu et al., ICLR 2022",
            status="published",
            example={"student": {"use": "openclip", "config": SMALL}},
        )
    ]
