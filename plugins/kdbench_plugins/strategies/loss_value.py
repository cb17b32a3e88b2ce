"""`loss_value`: weights proportional to the losses, or to their inverse. MH-CVSE (arXiv 2412.19184).

A reconstruction: the paper only says that losses are weighted according to the loss value itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class LossValue:
    """Weights [T] proportional to each teacher's mean loss in the batch or, with `direction: inverse`, to its inverse.

    `proportional` favours the teacher that the student is furthest from: Σ w_t ∇ℓ_t equals ∇(½ Σ ℓ_t²) / Σ ℓ_t. Weights are
    equal if all losses are zero. With `inverse`, teachers whose loss is zero, if there are any, have all the weight in
    equal parts.
    """

    def __init__(self, *, direction: Literal["proportional", "inverse"] = "proportional") -> None:
        self.direction = direction

    def weigh(self, signal: Signal) -> Tensor:
        losses = signal.losses.double().mean(dim=1)
        weights = proportional(losses) if self.direction == "proportional" else inverse(losses)
        return weights.to(signal.losses)


def proportional(values: Tensor) -> Tensor:
    """values / Σ values, [T], for nonnegative values; equal if all are zero."""
    import torch

    values = values.clamp(min=0)  # rounding may leave a divergence just below zero
    values = torch.where((values > 0).any(), values, 1.0)  # not read here, for which a GPU would have to be waited for
    return values / values.sum()


def inverse(values: Tensor) -> Tensor:
    """(1/values) / Σ 1/values, [T]; if some values are zero, its limit: these have all the weight in equal parts."""
    import torch

    values = values.clamp(min=0)
    zero = values == 0
    return proportional(torch.where(zero.any(), zero.to(values), values.min() / values))


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "loss_value",
            LossValue,
            "weights proportional to each teacher's loss, or to its inverse",
            formula="w_t = ℓ_t / Σ_j ℓ_j  or  (1/ℓ_t) / Σ_j 1/ℓ_j",
            latex=r"w_t = \frac{\ell_t}{\sum_j \ell_j} \quad \text{or} \quad \frac{1 / \ell_t}{\sum_j 1 / \ell_j}",
            source="MH-CVSE, arXiv 2412.19184",
            status="reconstruction",
        )
    ]
