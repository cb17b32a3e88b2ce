"""`fixed`: constant weights from the suite (W-Ensemble)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import KdbenchError, Offer, Signal, Skip, Strategy, hookimpl, nearest

if TYPE_CHECKING:
    from torch import Tensor

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Fixed:
    """Constant weights, normalised over the team. `weights` maps teacher names to nonnegative numbers c_t.

    Names that are not in the team are ignored: one entry serves several teams. Raises Skip if a teacher of the team has no
    weight, KdbenchError if all weights of the team are zero.
    """

    def __init__(self, *, weights: dict[str, Weight]) -> None:
        self.weights = weights

    def check_teams(self, teams: Sequence[Sequence[str]], dataset: object) -> None:  # noqa: ARG002
        """Raises KdbenchError if no team has a weight for each of its teachers."""
        missing = [name for team in teams for name in team if name not in self.weights]
        if all(set(team) - set(self.weights) for team in teams):
            hint = nearest(missing[0], self.weights)
            raise KdbenchError(f"fixed: weights: found {', '.join(self.weights)}; expected {missing[0]} as well. {hint}")

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        missing = [name for name in signal.teachers if name not in self.weights]
        if missing:
            raise Skip(f"fixed: no weight for {', '.join(missing)}; weights are given for {', '.join(self.weights)}")
        numbers = [self.weights[name] for name in signal.teachers]
        if not sum(numbers) > 0:
            raise KdbenchError(f"fixed: the weights of {', '.join(signal.teachers)} are all zero")
        given = torch.tensor(numbers, dtype=torch.float64)  # float32 has no number as small as some weights
        return (given / given.sum()).to(signal.losses, non_blocking=True)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "fixed",
            Fixed,
            "constant weights from the suite",
            formula="w_t = c_t / Σ_j c_j",
            latex=r"w_t = \frac{c_t}{\sum_j c_j}",
            source="W-Ensemble",
            status="published",
            example={"weights": {f"teacher{position}": position + 1.0 for position in range(5)}},
        )
    ]
