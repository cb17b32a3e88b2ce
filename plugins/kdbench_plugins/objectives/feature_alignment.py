"""`feature_alignment`: hidden states, attention and in-batch distributions match the teacher's (arXiv 2412.19449).

A reconstruction: the paper compresses language models by aligning intermediate features and attention beside the outputs; here
both towers of an image-text model are. The layer map, the units that are compared and the weights are this file's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from kdbench import Batch, KdbenchError, Objective, Offer, Pairs, Shapes, hookimpl
from kdbench_plugins.internals.clip_taps import IMAGE_ATTENTION, MAPS, TEXT_ATTENTION, TEXT_HIDDEN, TEXT_WORDS
from kdbench_plugins.objectives.relational_kl import RelationalKL

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import ModuleDict

Towers = Literal["both", "image", "text", "none"]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class FeatureAlignment:
    """Squared distances per sample of hidden states and of attention, summed over the student's layers, and `relational_kl`.

    Layer l of a student with S layers is compared with layer m(l) = ⌈l·T/S⌉ of a teacher with T. Hidden states of an image
    tower are its feature maps, position by position, the teacher's brought to the student's grid; those of a text tower are of
    words, without padding, as far as both read. A linear map W_l without bias brings the student's to the teacher's width; both
    are then normalised, so that a layer counts between 0 and 4, averaged over positions. Attention A is averaged over heads,
    and distances of its rows over positions. `hidden` and `attention` say of which towers they are compared; attention needs
    transformers, in image towers with as many tokens. `alpha` weights hidden states, `beta` attention, and `gamma` the
    divergence of in-batch distributions at `temperature`.
    """

    def __init__(
        self,
        *,
        hidden: Towers = "both",
        attention: Towers = "text",
        alpha: Weight = 1.0,
        beta: Weight = 1.0,
        gamma: Weight = 1.0,
        temperature: Annotated[float, Field(gt=0)] = 1.0,
    ) -> None:
        self.hidden = [name for tower, name in (("image", MAPS), ("text", TEXT_HIDDEN)) if hidden in (tower, "both")]
        named = (("image", IMAGE_ATTENTION), ("text", TEXT_ATTENTION))
        self.attention = [name for tower, name in named if attention in (tower, "both")]
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.divergence = RelationalKL(temperature=temperature)
        words = [TEXT_WORDS] if {TEXT_HIDDEN, TEXT_ATTENTION} & {*self.hidden, *self.attention} else []
        self.internals = (*self.hidden, *self.attention, *words)

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def internal_head(self, student: Shapes, teacher: Shapes) -> ModuleDict:
        """The maps W_l by name and layer. Raises KdbenchError for attention of image towers with other numbers of tokens."""
        from torch import nn

        if IMAGE_ATTENTION in self.attention:
            own, aim = (shapes[IMAGE_ATTENTION][0][-1] for shapes in (student, teacher))
            if own != aim:
                raise KdbenchError(
                    f"objective feature_alignment: attention: found image towers of {own} tokens (student) and {aim} "
                    "(teacher); expected as many. Use attention: text"
                )

        def maps(name: str) -> nn.ModuleList:
            axis = 0 if name == MAPS else -1  # of the width
            layers = pairs_of(len(student[name]), len(teacher[name]))
            widths = [(student[name][own][axis], teacher[name][aim][axis]) for own, aim in layers]
            return nn.ModuleList([nn.Linear(*each, bias=False) for each in widths])

        return nn.ModuleDict({name: maps(name) for name in self.hidden})

    def losses(self, student: Pairs, teacher: Pairs, head: ModuleDict, batch: Batch) -> Tensor:
        from kdbench_plugins.objectives.aligned import attention_distances, map_distances, word_distances

        total = self.gamma * self.divergence.losses(student, teacher, None, batch)
        both = student.internals, teacher.internals
        for name in self.hidden:
            distances = map_distances if name == MAPS else word_distances
            for (own, aim), project in zip(pairs_of(*(len(each[name]) for each in both)), cast(Any, head[name]), strict=True):
                total = total + self.alpha * distances(*both, name, own, aim, project)
        for name in self.attention:
            for own, aim in pairs_of(*(len(each[name]) for each in both)):
                total = total + self.beta * attention_distances(*both, name, own, aim)
        return total


def pairs_of(student: int, teacher: int) -> list[tuple[int, int]]:
    """The uniform layer map, counted from 0: each of the student's layers with one of the teacher's, the last with the last."""
    return [(place, -(-(place + 1) * teacher // student) - 1) for place in range(student)]


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "feature_alignment",
            FeatureAlignment,
            "hidden states, attention and in-batch distributions match the teacher's",
            formula="ℓ = α Σ_l ‖h_T^m(l) − W_l h_S^l‖² + β Σ_l ‖A_T^m(l) − A_S^l‖² + γ KL, m(l) = ⌈l·T/S⌉",
            latex=(
                r"\ell = \alpha \sum_l \left\lVert h_T^{m(l)} - W_l h_S^l \right\rVert^2 "
                r"+ \beta \sum_l \left\lVert A_T^{m(l)} - A_S^l \right\rVert^2 + \gamma \, \mathrm{KL}, "
                r"\quad m(l) = \lceil l T / S \rceil"
            ),
            source="Feature Alignment-Based Knowledge Distillation, arXiv 2412.19449",
            status="reconstruction",
        )
    ]
