"""`dwa`: dynamic weight average, more weight for losses that fall slowly. Liu et al., CVPR 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

MOST = 1e6


class Dwa:
    """Softmax over teachers of r_t / temperature with r_t = ℓ_t(e−1) / ℓ_t(e−2), [T], constant within an epoch e.

    ℓ_t(e) is the mean of teacher t's loss over epoch e. Weights are equal in the first two epochs. (The paper's weights sum
    to T; here they sum to 1, because the sum would act as a hidden learning rate.) r_t is at most 10⁶; if ℓ_t(e−2) is zero,
    r_t is 1 if ℓ_t(e−1) is zero too, otherwise 10⁶.
    """

    def __init__(self, *, temperature: Annotated[float, Field(gt=0)] = 2.0) -> None:
        self.temperature = temperature
        self.sums: list[float] = []  # of the epoch under way, by teacher
        self.steps = 0
        self.means: list[list[float]] = []  # of the last two epochs, the older first

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        losses: list[float] = signal.losses.double().mean(dim=1).tolist()
        self.sums = [total + loss for total, loss in zip(self.sums or [0.0] * len(losses), losses, strict=True)]
        self.steps += 1
        if len(self.means) < 2:
            return signal.losses.new_full((len(losses),), 1 / len(losses))
        ratios = torch.tensor([ratio(before, last) for before, last in zip(*self.means, strict=True)], dtype=torch.float64)
        # The largest is subtracted before dividing: a low temperature then gives zeros, not infinities.
        return ((ratios - ratios.max()) / self.temperature).softmax(dim=0).to(signal.losses)

    def end_epoch(self, validation: dict[str, float] | None) -> None:  # noqa: ARG002
        if self.steps:
            self.means = [*self.means[-1:], [total / self.steps for total in self.sums]]
        self.sums, self.steps = [], 0

    def state_dict(self) -> dict[str, Any]:
        return {"sums": list(self.sums), "steps": self.steps, "means": [list(means) for means in self.means]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums, self.steps = list(state["sums"]), state["steps"]
        self.means = [list(means) for means in state["means"]]


def ratio(before: float, last: float) -> float:
    """last / before, at most `MOST`; 1 where both are zero. Losses that rounding made negative count as zero."""
    if before > 0:
        return min(max(last, 0.0) / before, MOST)
    return MOST if last > 0 else 1.0


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "dwa",
            Dwa,
            "dynamic weight average: each epoch, more weight for teachers whose loss falls slowly",
            formula="w = σ_t((ℓ_t(e−1) / ℓ_t(e−2)) / temperature)",
            latex=r"w = \sigma_t\left(\frac{\ell_t(e-1) / \ell_t(e-2)}{\mathrm{temperature}}\right)",
            source="Liu et al., CVPR 2019",
            status="published",
        )
    ]
