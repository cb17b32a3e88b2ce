"""`fixed`: weights that the suite gives (W-Ensemble)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import KdbenchError, Offer, Signal, Skip, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Fixed:
    """w_t = given weight / sum over the team. `weights` maps teacher names to numbers that are not negative.

    Names outside the team are left aside, so that one entry serves several teams. Raises Skip where a team has a teacher
    without a weight, KdbenchError where all its weights are zero.
    """

    def __init__(self, *, weights: dict[str, Weight]) -> None:
        self.weights = weights

    def weigh(self, signal: Signal) -> Tensor:
        missing = [name for name in signal.teachers if name not in self.weights]
        if missing:
            raise Skip(f"fixed: no weight for {', '.join(missing)}; weights are given for {', '.join(self.weights)}")
        given = signal.losses.new_tensor([self.weights[name] for name in signal.teachers])
        if not given.sum() > 0:
            raise KdbenchError(f"fixed: the weights of {', '.join(signal.teachers)} are all zero")
        return given / given.sum()


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "fixed",
            Fixed,
            "weights given by the suite",
            formula="w_t = c_t / Σ_j c_j",
            source="W-Ensemble",
            status="published",
            example={"weights": {f"teacher{place}": place + 1.0 for place in range(5)}},
        )
    ]
