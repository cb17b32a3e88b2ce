"""`gradnorm`: learned weights under which all teachers are learned at a similar rate. Chen et al., ICML 2018."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class GradNorm:
    """Weights w = σ(s), [T]; s minimises Σ_t |w_t‖g_t‖ − Ḡ·r_t^alpha| with Ḡ = mean of w_t‖g_t‖, held constant.

    g_t is the gradient of teacher t's mean loss ℓ_t at the student's outputs; the norms are divided by their mean, which
    leaves the minimum where it is. r_t is ℓ_t / ℓ_t(first step), divided by its mean over teachers: large for teachers that
    are learned slowly, which `alpha` gives longer gradients. s starts at 0 and is trained by a separate Adam with the
    learning rate `lr`, after it has been used in a step. The softmax keeps weights positive and their sum 1, as in LibMTL
    (there T); the paper learns w itself and rescales it. Steps with vanishing gradients or values that are not finite change
    nothing.
    """

    def __init__(self, *, alpha: Annotated[float, Field(ge=0)] = 1.5, lr: Annotated[float, Field(gt=0)] = 0.025) -> None:
        self.alpha = alpha
        self.lr = lr
        self.first: list[float] = []  # by teacher
        self.logits: Tensor | None = None  # s, [T], float64 on the CPU
        self.optimizer: Optimizer | None = None

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        from kdbench_plugins.strategies.dwa import ratio

        losses: list[float] = signal.losses.double().mean(dim=1).tolist()
        if self.logits is None:
            self.first = losses
            self._begin(torch.zeros(len(losses), dtype=torch.float64))
        assert self.logits is not None
        weights = self.logits.softmax(dim=0)
        norms = signal.gramian.diagonal().double().clamp(min=0).sqrt().cpu()
        rates = torch.tensor([ratio(*pair) for pair in zip(self.first, losses, strict=True)], dtype=torch.float64)
        if norms.isfinite().all() and norms.sum() > 0 and rates.isfinite().all() and rates.sum() > 0:
            self._learn(norms / norms.mean(), rates / rates.mean())
        return weights.to(signal.losses)

    def _learn(self, norms: Tensor, rates: Tensor) -> None:
        import torch

        assert self.logits is not None
        assert self.optimizer is not None
        with torch.enable_grad():
            logits = self.logits.detach().requires_grad_()
            lengths = logits.softmax(dim=0) * norms
            target = lengths.mean().detach() * rates**self.alpha
            (self.logits.grad,) = torch.autograd.grad((lengths - target).abs().sum(), logits)
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        if self.logits is None or self.optimizer is None:
            return {}
        return {
            "first": list(self.first),
            "logits": self.logits.clone(),
            "optimizer": deepcopy(self.optimizer.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.logits = self.optimizer = None
        if state:
            self.first = list(state["first"])
            self._begin(state["logits"].clone()).load_state_dict(deepcopy(state["optimizer"]))

    def _begin(self, logits: Tensor) -> Optimizer:
        import torch

        self.logits = logits
        self.optimizer = torch.optim.Adam([logits], lr=self.lr)
        return self.optimizer


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "gradnorm",
            GradNorm,
            "learned weights: longer gradients for teachers that are learned slowly",
            formula="w = σ_t(s),  s = argmin Σ_t |w_t‖g_t‖ − Ḡ·r_t^alpha|",
            latex=(
                r"w = \sigma_t(s), "
                r"\quad s = \operatorname{argmin} "
                r"\sum_t \left\lvert w_t \left\lVert g_t \right\rVert - \bar{G} \, r_t^{\mathrm{alpha}} \right\rvert"
            ),
            source="Chen et al., ICML 2018",
            status="published",
        )
    ]
