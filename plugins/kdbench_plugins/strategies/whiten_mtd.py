"""`whiten_mtd`: one target of all teachers, the largest similarity of true pairs, the smallest of others. arXiv 2312.09716."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class WhitenMtd:
    """Weights per pair, [T, B, B], that fuse the teachers' similarities S_t = v_t u_tᵀ into one matrix S̃ = Σ_t w[t] S_t.

    For a true pair (of one concept), S̃ is the maximum over the teachers. For any other it is the minimum, with `others: mean`
    the mean, with `random` that of a teacher drawn for each pair: the paper's max-min, max-mean and max-rand. Of equal
    similarities the first teacher's counts.

    Needs an objective that fuses logits. Similarities of different teachers compare only if they are spread alike: the paper
    whitens the teachers' embeddings first, to fewer dimensions; here, the teacher `normalized` with `by: whiten` does, to as
    many. The paper's loss is that of `relational_kl` with `scale: 20` (temperature 0.05) and a coefficient of 2, between views
    of an image; here it is between images and texts.
    """

    one_tower = False
    per_pair = True

    def __init__(self, *, others: Literal["min", "mean", "random"] = "min") -> None:
        self.others: Literal["min", "mean", "random"] = others

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        found = torch.stack([images @ texts.T for images, texts in signal.teacher_embeddings])  # [T, B, B]
        if self.others == "mean":
            apart = torch.full_like(found, 1 / len(found))
        elif self.others == "min":
            apart = one_hot(found.argmin(dim=0), found)
        else:
            drawn = torch.randint(len(found), found.shape[1:], generator=signal.generator)
            apart = one_hot(drawn.to(found.device, non_blocking=True), found)
        return torch.where(signal.batch.same, one_hot(found.argmax(dim=0), found), apart)


def one_hot(teachers: Tensor, like: Tensor) -> Tensor:
    """1 for the teacher of each pair, [B, B], else 0, as [T, B, B] of the kind of `like`."""
    import torch

    return torch.zeros_like(like).scatter_(0, teachers[None], 1.0)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "whiten_mtd",
            WhitenMtd,
            "fuses the teachers' similarities: the largest of true pairs, the smallest of others (Whiten-MTD)",
            formula="S̃ᵢⱼ = max_t S_t,ᵢⱼ for true pairs, else min_t S_t,ᵢⱼ",
            latex=r"\tilde{S}_{ij} = \max_t S_{t,ij} \text{ for true pairs, else } \min_t S_{t,ij}",
            source="Whiten-MTD, Ma et al., AAAI 2024, arXiv 2312.09716",
            status="published",
        )
    ]
