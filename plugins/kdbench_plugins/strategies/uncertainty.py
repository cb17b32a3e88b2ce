"""`uncertainty`: weights from a learned variance of each teacher's loss. Kendall et al., CVPR 2018."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

BOUND = 30.0  # bound of |s_t|: admits the optimum s_t = ln ℓ_t for losses from 1e-13 to 1e13


class Uncertainty:
    """Weights w_t = exp(−s_t) / Σ_j exp(−s_j), [T]; the log-variances s_t minimise Σ_t ½ exp(−s_t) ℓ_t + ½ s_t.

    ℓ_t is a teacher's mean loss in the batch. The s_t start at 0 and are trained by a separate Adam with the learning rate
    `lr`, after they have been used in a step, as in joint training; they stay within ±30. Adam moves each by at most a few
    times `lr` per step, however large the losses are.

    Weights are normalised because their sum would act as a hidden learning rate: exp(−s_t) grows as the losses fall. With
    `normalize: false` they are ½ exp(−s_t), as in the paper, and the strategy is `raw`.
    """

    def __init__(self, *, lr: Annotated[float, Field(gt=0)] = 0.01, normalize: bool = True) -> None:
        self.lr = lr
        self.raw = not normalize
        self.teachers: tuple[str, ...] = ()
        self.log_variances: Tensor | None = None  # [T], float64 on the CPU
        self.optimizer: Optimizer | None = None

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        self.teachers = signal.teachers
        if self.log_variances is None:
            self._begin(torch.zeros(len(self.teachers), dtype=torch.float64))
        s, optimizer = self.log_variances, self.optimizer
        assert s is not None
        assert optimizer is not None
        weights = (-s).exp() / 2 if self.raw else (-s).softmax(dim=0)
        losses = signal.losses.double().mean(dim=1).clamp(min=0).cpu()
        s.grad = (1 - (losses.log() - s).exp()) / 2
        optimizer.step()
        s.clamp_(-BOUND, BOUND)
        return weights.to(signal.losses)

    def report(self) -> dict[str, float]:
        """`log_variance/<teacher>`: the s_t."""
        values = [] if self.log_variances is None else self.log_variances.tolist()
        return {f"log_variance/{name}": value for name, value in zip(self.teachers, values, strict=False)}

    def state_dict(self) -> dict[str, Any]:
        if self.log_variances is None or self.optimizer is None:
            return {}
        return {"log_variances": self.log_variances.clone(), "optimizer": deepcopy(self.optimizer.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.log_variances = self.optimizer = None
        if state:
            self._begin(state["log_variances"].clone()).load_state_dict(deepcopy(state["optimizer"]))

    def _begin(self, log_variances: Tensor) -> Optimizer:
        import torch

        self.log_variances = log_variances
        self.optimizer = torch.optim.Adam([log_variances], lr=self.lr)
        return self.optimizer


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "uncertainty",
            Uncertainty,
            "learned log-variances: less weight for teachers whose loss stays high",
            formula="w_t ∝ exp(−s_t),  s = argmin Σ_t ½ exp(−s_t) ℓ_t + ½ s_t",
            latex=(
                r"w_t \propto \exp(-s_t), \quad s = \operatorname{argmin} \sum_t \frac{1}{2} \exp(-s_t) \, \ell_t "
                r"+ \frac{1}{2} s_t"
            ),
            source="Kendall et al., CVPR 2018",
            status="published",
        )
    ]
