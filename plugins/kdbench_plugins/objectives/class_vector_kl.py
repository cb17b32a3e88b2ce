"""`class_vector_kl`: student and teacher classify against the teacher's stored embeddings; the student matches the teacher.

AMMKD (arXiv 2509.00039) encodes a teacher's captions once and keeps them as class vectors. This is a reconstruction, because
only AMMKD's abstract is openly available. It follows PromptKD (Li et al., CVPR 2024), where teacher and student share the
teacher's stored text embeddings; the image bank for the student's texts mirrors this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from kdbench import Batch, Objective, Offer, Pairs, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, ModuleList


class ClassVectorKL:
    """KL divergence per sample between the teacher's and the student's classification by class vectors.

    v and u are the student's image and text embeddings, v_t and u_t the teacher's, s_t the teacher's logit scale, which is
    used for both. The class vectors W [K, d_t] are the teacher's caption embeddings; for texts, its image embeddings take
    their place. `bank` chooses them: those of the `batch`, of `all` the train split, or of the batch and a number of others,
    drawn without replacement at each step. σ is a softmax, summed over class vectors of the same concept. P and P' map to
    the teacher's width, linearly or through one layer of `hidden` units; their outputs are normalised again. `temperature`
    is τ. Raises KdbenchError if W holds more than the batch and the teacher has no stored embeddings.
    """

    def __init__(
        self,
        *,
        temperature: Annotated[float, Field(gt=0)] = 1.0,
        bank: Literal["batch", "all"] | Annotated[int, Field(ge=1)] = "all",
        hidden: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.temperature = temperature
        self.bank: Literal["batch", "all"] | int = bank
        self.hidden = hidden

    def head(self, student_width: int, teacher_width: int) -> Module:
        from torch import nn

        def projection() -> Module:
            if self.hidden == 0:
                return nn.Linear(student_width, teacher_width, bias=False)
            return nn.Sequential(nn.Linear(student_width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, teacher_width))

        return nn.ModuleList([projection(), projection()])

    def losses(self, student: Pairs, teacher: Pairs, head: ModuleList, batch: Batch) -> Tensor:
        import torch
        from torch.nn.functional import kl_div, normalize

        from kdbench_plugins.objectives.class_vectors import class_vectors

        captions = class_vectors(self.bank, "text", teacher, batch)
        images = class_vectors(self.bank, "image", teacher, batch)
        halves = []
        for project, queries, aims, (vectors, concepts) in (
            (head[0], student.image, teacher.image, captions),
            (head[1], student.text, teacher.text, images),
        ):
            present, position = torch.unique(concepts, return_inverse=True)
            scaled = teacher.scale / self.temperature * vectors
            own = concept_log_probs(scaled @ normalize(project(queries), dim=1).T, position, len(present))
            aim = concept_log_probs(scaled @ aims.T, position, len(present))
            halves.append(kl_div(own, aim, reduction="none", log_target=True).sum(dim=0))
        return (halves[0] + halves[1]) / 2 * self.temperature**2


def concept_log_probs(logits: Tensor, position: Tensor, concepts: int) -> Tensor:
    """Log-probabilities of concepts, [C, B], from logits of class vectors, [K, B]; `position` [K] is the concept of each.

    Finite for logits of any size, since exponentials are taken relative to the largest logit of the same concept.
    """
    top = logits.new_full((concepts, logits.shape[1]), -float("inf"))
    top = top.scatter_reduce(0, position[:, None].expand_as(logits), logits.detach(), "amax")
    sums = logits.new_zeros(top.shape).index_add(0, position, (logits - top[position]).exp())
    return (top + sums.log()).log_softmax(dim=0)


@hookimpl
def kdbench_objectives() -> list[Offer[Objective]]:
    return [
        Offer(
            "class_vector_kl",
            ClassVectorKL,
            "KL between teacher and student, both classifying by the teacher's stored embeddings (AMMKD's class vectors)",
            formula="ℓ = ½τ²[KL(σ(s_t v_t Wᵀ/τ) ‖ σ(s_t P(v) Wᵀ/τ)) + the same for texts against images]",
            latex=(
                r"\ell = \frac{1}{2} \tau^2 "
                r"\left[\mathrm{KL}(\sigma(s_t v_t W^T / \tau) \, \Vert \, \sigma(s_t P(v) W^T / \tau)) "
                r"+ \text{the same for texts against images}\right]"
            ),
            source="AMMKD, arXiv 2509.00039; PromptKD, Li et al., CVPR 2024",
            status="reconstruction",
        )
    ]
