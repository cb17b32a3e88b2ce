"""What a reward is compared with before it teaches a policy."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class Baseline:
    """A running mean of the reward over batches, and of the square of its distance from that mean.

    The mean is that of earlier batches alone: a baseline that knew the actions it judges would bias the gradient. The scale
    includes the batch at hand, which bounds advantages; it is one positive number for all of a batch and turns no gradient.
    """

    def __init__(self, momentum: float, standardize: bool) -> None:
        self.momentum = momentum
        self.standardize = standardize
        self.mean: float | None = None
        self.square = 0.0

    def advantages(self, rewards: Tensor) -> Tensor:
        """(r − baseline) / scale for rewards [B], after which both move on; 0 for the first batch, which only sets them."""
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
