"""`best_of`: per sample the one teacher that is right about it most clearly. RL-KD's baseline (2021, arXiv 2012.06048).

A reconstruction: the paper's text could not be had. By a reader's notes on it, its Best-Single-Ensemble compares the teachers'
outputs for each training sample with the truth and takes the best teacher; what measures the best is not said there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class BestOf:
    """All weight of a sample for the teacher with its lowest cross-entropy, shared by teachers that have the same.

    CE[t,b] is the cross-entropy of teacher t's in-batch distributions against the true pairs, both directions averaged.
    """

    one_tower = False

    def weigh(self, signal: Signal) -> Tensor:
        losses = signal.truth_losses
        best = (losses == losses.amin(dim=0)).to(losses)
        return best / best.sum(dim=0)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "best_of",
            BestOf,
            "per sample, the teacher with the lowest cross-entropy against the true pair alone (Best-Single)",
            formula="w[t,b] = [t = argmin_j CE[j,b]]",
            latex=r"w_{t,b} = [\, t = \arg\min_j \mathrm{CE}_{j,b} \,]",
            source="RL-KD, Yuan et al., AAAI 2021",
            status="reconstruction",
        )
    ]
