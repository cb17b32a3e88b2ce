"""`teacher_dropping`: each sample learns from its worst teacher and a random part of the others. UNIC (arXiv 2408.05088)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class TeacherDropping:
    """Weights per sample, w[t,b] = B·c[t,b] / Σ c, with c[t,b] = 1 for the teachers kept and 0 for those dropped.

    The teacher with the largest loss of a sample is kept, the first of equals; every other is dropped with the probability
    `drop`. All kept pairs of teacher and sample have the same weight, as in the paper's code, so a sample that kept more
    teachers counts for more: the sum over the teachers is 1 on average over the batch, not per sample, and the strategy is
    `raw`.
    """

    raw = True

    def __init__(self, *, drop: Annotated[float, Field(ge=0, le=1)] = 0.5) -> None:
        self.drop = drop

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        losses = signal.losses
        draws = torch.rand(losses.shape, generator=signal.generator).to(losses.device, non_blocking=True)
        kept = (draws >= self.drop).to(losses)
        kept.scatter_(0, losses.argmax(dim=0, keepdim=True), 1.0)
        return kept * (losses.shape[1] / kept.sum())


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "teacher_dropping",
            TeacherDropping,
            "per sample, keeps the teacher with the largest loss and each other one by chance (UNIC)",
            formula="w[t,b] = B·c[t,b] / Σ c, c = 1 for t = argmax_j ℓ[j,b], else c ~ Bernoulli(1 − drop)",
            latex=(
                r"w_{t,b} = \frac{B \, c_{t,b}}{\sum c}, \quad c = 1 "
                r"\text{ for } t = \operatorname{argmax}_j \ell_{j,b}, "
                r"\quad \text{else } c \sim \mathrm{Bernoulli}(1 - \mathrm{drop})"
            ),
            source="UNIC, Sariyildiz et al., ECCV 2024, arXiv 2408.05088",
            status="published",
            waives={"permuting teachers permutes weights": "it draws per position: permuting permutes in distribution only"},
        )
    ]
