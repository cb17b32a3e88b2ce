"""`relative_change`: more weight for teachers whose loss changes more. AdapMTL's weighting (arXiv 2408.03913, 2024)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

MOST = 1e6


class RelativeChange:
    """Weights [T] proportional to the mean relative change of each teacher's loss over the last `window` steps.

    ℓ_t(k) is a teacher's mean loss in the batch of step k. Changes are collected after the fraction `start` of the training
    (the paper's code starts at step 5,000 of 20,000), because early changes say little. Weights are equal until the first
    change has been collected; until a window is full, the mean is over the changes so far. A change counts as 10⁶ at
    most, which bounds the effect of a vanishing loss. Weights are equal if no loss changes.
    """

    def __init__(self, *, window: Annotated[int, Field(ge=1)] = 500, start: Annotated[float, Field(ge=0, lt=1)] = 0.25) -> None:
        self.start = start
        self.previous: list[float] = []  # by teacher
        self.changes: deque[list[float]] = deque(maxlen=window)

    def weigh(self, signal: Signal) -> Tensor:
        if signal.batch.progress >= self.start:
            losses: list[float] = signal.losses.double().mean(dim=1).tolist()
            if self.previous:
                self.changes.append([change(before, now) for before, now in zip(self.previous, losses, strict=True)])
            self.previous = losses
        means = [sum(changes) / len(changes) for changes in zip(*self.changes, strict=True)]
        total = sum(means)
        teachers = len(signal.teachers)
        return signal.losses.new_tensor([mean / total for mean in means] if total > 0 else [1 / teachers] * teachers)

    def state_dict(self) -> dict[str, Any]:
        return {"previous": list(self.previous), "changes": [list(changes) for changes in self.changes]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.previous = list(state["previous"])
        self.changes = deque((list(changes) for changes in state["changes"]), self.changes.maxlen)


def change(before: float, now: float) -> float:
    """|before − now| / now, at most `MOST`; 0 if both are zero. Losses that rounding made negative count as zero."""
    if now > 0:
        return min(abs(max(before, 0.0) - now) / now, MOST)
    return MOST if before > 0 else 0.0


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "relative_change",
            RelativeChange,
            "more weight for teachers whose loss changes more between steps, over a window",
            formula="w_t ∝ mean over k of |ℓ_t(k−1) − ℓ_t(k)| / ℓ_t(k)",
            latex=(
                r"w_t \propto \text{mean over } k \text{ of } "
                r"\frac{\left\lvert \ell_t(k-1) - \ell_t(k) \right\rvert}{\ell_t(k)}"
            ),
            source="AdapMTL, arXiv 2408.03913",
            status="published",
        )
    ]
