"""`quality_retaining`: weights inverse to a smoothed loss. EMTAL's quality retaining (NeurIPS 2024).

EMTAL also distils from a bank of each teacher's outputs. For this part, a suite uses the objective `class_vector_kl` with
this strategy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class QualityRetaining:
    """Weights [T] inverse to moving averages of the losses: m_t ← momentum·m_t + (1 − momentum)·ℓ_t.

    ℓ_t is a teacher's mean loss in the batch; m_t starts at the first one and is updated before the weights of a step are
    computed. The weighted losses are then about equal, and no teacher is learned at the expense of another. Teachers whose
    m_t is zero have all the weight in equal parts.
    """

    def __init__(self, *, momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95) -> None:
        self.momentum = momentum
        self.averages: list[float] = []  # by teacher

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        from kdbench_plugins.strategies.loss_value import inverse

        losses: list[float] = signal.losses.double().mean(dim=1).tolist()
        kept = self.momentum
        self.averages = [
            kept * average + (1 - kept) * loss for average, loss in zip(self.averages or losses, losses, strict=True)
        ]
        return inverse(torch.tensor(self.averages, dtype=torch.float64)).to(signal.losses)

    def state_dict(self) -> dict[str, Any]:
        return {"averages": list(self.averages)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.averages = list(state["averages"])


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "quality_retaining",
            QualityRetaining,
            "weights inverse to a moving average of each teacher's loss",
            formula="w_t ∝ 1 / EMA(ℓ_t)",
            latex=r"w_t \propto \frac{1}{\mathrm{EMA}(\ell_t)}",
            source="EMTAL, NeurIPS 2024",
            status="published",
        )
    ]
