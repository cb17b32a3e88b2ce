"""`famo`: weights under which all losses fall at the same rate. Liu et al., NeurIPS 2023."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl
from kdbench_plugins.strategies.torchjd_weightings import library

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-8  # in place of smaller losses, whose logarithm is taken


class Famo:
    """Weights [T] proportional to σ(ξ)_t / ℓ_t: the gradient of TorchJD's FAMO in the mean losses ℓ_t.

    After each step, the losses of the same batch are measured again, which costs one more forward pass of the student; Adam
    with the learning rate `lr` and the weight decay `weight_decay` then moves ξ towards teachers whose logarithm of the loss
    fell less. Lower bounds of the losses are 0.
    """

    def __init__(
        self, *, lr: Annotated[float, Field(gt=0)] = 0.025, weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    ) -> None:
        self.lr = lr
        self.weight_decay = weight_decay
        self.scalarizer: Any = None
        self._make(2)  # a missing package is reported before a run, not in its first step

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        losses = _means(signal.losses)
        if self.scalarizer is None:
            self.scalarizer = self._make(len(losses))
        with torch.enable_grad():
            (weights,) = torch.autograd.grad(self.scalarizer(losses.requires_grad_()), losses)
        return (weights / weights.sum()).to(signal.losses)

    def observe_after(self, losses: Tensor) -> None:
        """Moves ξ by the losses [T, B] of the same batch after the step."""
        self.scalarizer.update(_means(losses))

    def state_dict(self) -> dict[str, Any]:
        if self.scalarizer is None:
            return {}
        optimizer = self.scalarizer._optimizer
        return {
            "logits": self.scalarizer._w.detach().clone(),
            "optimizer": deepcopy(optimizer.state_dict()) if optimizer else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        import torch

        self.scalarizer = None
        if not state:
            return
        self.scalarizer = self._make(len(state["logits"]))
        self.scalarizer._w.data.copy_(state["logits"])
        if state["optimizer"]:
            # TorchJD makes its optimizer in the first update and saves none: this one is made in the same way.
            optimizer = torch.optim.Adam([self.scalarizer._w], lr=self.lr, weight_decay=self.weight_decay)
            optimizer.load_state_dict(deepcopy(state["optimizer"]))
            self.scalarizer._optimizer = optimizer

    def _make(self, teachers: int) -> Any:
        return library("FAMO", shape=teachers, lr=self.lr, weight_decay=self.weight_decay).double()


def _means(losses: Tensor) -> Tensor:
    """[T], float64 on the CPU."""
    return losses.detach().double().mean(dim=1).clamp(min=TINY).cpu()


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "famo",
            Famo,
            "all losses fall at the same rate; measures the losses again after each step",
            formula="w_t ∝ σ_t(ξ) / ℓ_t,  ξ by Adam on log ℓ_t(before) − log ℓ_t(after the step)",
            latex=(
                r"w_t \propto \frac{\sigma_t(\xi)}{\ell_t}, \quad \xi "
                r"\text{ by Adam on } \log \, \ell_t(\text{before}) - \log \, \ell_t(\text{after the step})"
            ),
            source="FAMO, Liu et al., NeurIPS 2023; TorchJD",
            status="library",
        )
    ]
