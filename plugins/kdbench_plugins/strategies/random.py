"""`random`: one teacher per step, drawn uniformly (Rand-Single of RL-KD, Yuan et al., AAAI 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Random:
    """All weight on one of the T teachers, drawn uniformly at each step."""

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        teachers = len(signal.teachers)
        chosen = int(torch.randint(teachers, (), generator=signal.generator))
        weights = signal.losses.new_zeros(teachers)
        weights[chosen] = 1.0
        return weights


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "random",
            Random,
            "one teacher per step, drawn uniformly",
            formula="w = e_k, k drawn uniformly from 1 … T",
            latex=r"w = e_k, \quad k \text{ drawn uniformly from } 1 \dots T",
            source="Rand-Single of RL-KD, Yuan et al., AAAI 2021",
            status="published",
            waives={"permuting teachers permutes weights": "it draws an index: permuting permutes in distribution only"},
        )
    ]
