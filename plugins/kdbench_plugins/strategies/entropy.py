"""`entropy`: more weight per sample for teachers whose predictions have a low entropy. EBKD (Kwon et al., ICASSP 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Entropy:
    """Weights per sample that decrease with the entropy of the teacher's distribution, each at most 1/(T−1).

    H[t,b] is the entropy of teacher t's distribution over the batch's texts for image b; labels are not used. Weights are
    equal if the entropy of every teacher is zero. A single teacher has weight 1.
    """

    one_tower = False

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        probs = signal.teacher_probs
        entropies = torch.special.entr(probs).sum(dim=2).double().clamp(min=0)  # rounding may leave it below
        teachers = len(entropies)
        if teachers == 1:
            return probs.new_ones(1, entropies.shape[1])
        total = entropies.sum(dim=0)
        shares = torch.where(total > 0, entropies / total, 1 / teachers)
        return ((1 - shares) / (teachers - 1)).to(probs)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "entropy",
            Entropy,
            "per sample, more weight for teachers whose in-batch distribution has a lower entropy",
            formula="w[t,b] = (1 − H[t,b] / Σ_j H[j,b]) / (T − 1)",
            latex=r"w_{t,b} = \frac{1}{T - 1} \left(1 - \frac{H_{t,b}}{\sum_j H_{j,b}}\right)",
            source="EBKD, Kwon et al., ICASSP 2020",
            status="published",
        )
    ]
