"""`equal`: every teacher has the same weight (U-Ensemble, AVER)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Equal:
    """Equal weights for all teachers."""

    def weigh(self, signal: Signal) -> Tensor:
        teachers = len(signal.teachers)
        return signal.losses.new_full((teachers,), 1 / teachers)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "equal",
            Equal,
            "the same weight for every teacher",
            formula="w_t = 1/T",
            latex=r"w_t = \frac{1}{T}",
            source="U-Ensemble, AVER",
            status="published",
        )
    ]
