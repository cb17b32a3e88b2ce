"""`confidence`: more weight per sample for teachers with a lower cross-entropy. CA-MKD (Zhang et al., ICASSP 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Confidence:
    """Weights per sample that decrease with the teacher's cross-entropy, each at most 1/(T−1).

    CE[t,b] is the cross-entropy of teacher t's in-batch distributions against the true pairs, both directions averaged; σ_t
    is the softmax over teachers. With two teachers the weights are the softmax of −CE. A single teacher has weight 1.
    """

    one_tower = False

    def weigh(self, signal: Signal) -> Tensor:
        losses = signal.truth_losses
        teachers = len(losses)
        if teachers == 1:
            return losses.new_ones(losses.shape)
        return ((1 - losses.double().softmax(dim=0)) / (teachers - 1)).to(losses)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "confidence",
            Confidence,
            "per sample, more weight for teachers with a lower cross-entropy against the true pairs",
            formula="w[t,b] = (1 − σ_t(CE[t,b])) / (T − 1)",
            latex=r"w_{t,b} = \frac{1 - \sigma_t(\mathrm{CE}_{t,b})}{T - 1}",
            source="CA-MKD, Zhang et al., ICASSP 2022",
            status="published",
        )
    ]
