"""The baseline that is subtracted from a reward before a policy learns from it."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Baseline:
    """Running means, over batches, of the reward and of its squared distance from that mean.

    The baseline uses earlier batches only: one that depended on the current actions would bias the gradient. The scale
    includes the current batch, which bounds advantages; it is one positive number per batch, so it does not change the
    direction of the gradient.
    """

    def __init__(self, momentum: float, standardize: bool) -> None:
        self.momentum = momentum
        self.standardize = standardize
        self.mean: float | None = None
        self.square = 0.0

    def advantages(self, rewards: Tensor) -> Tensor:
        """(r − baseline) / scale for rewards [B], then updates both; 0 for the first batch, which only initialises them."""
        if self.mean is None:
            self.mean = float(rewards.mean())
            self.square = float((rewards - self.mean).square().mean())
            return rewards * 0
        found = rewards - self.mean
        self.mean = self.momentum * self.mean + (1 - self.momentum) * float(rewards.mean())
        self.square = self.momentum * self.square + (1 - self.momentum) * float(found.square().mean())
        return found / sqrt(self.square) if self.standardize and self.square > 0 else found

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "square": self.square}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean, self.square = state["mean"], state["square"]
