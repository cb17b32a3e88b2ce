"""`stch`: smooth Tchebycheff scalarization, most weight for the largest loss. Lin et al., ICML 2024 (arXiv 2402.19078)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kdbench import Offer, Signal, Strategy, hookimpl
from kdbench_plugins.strategies.torchjd_weightings import library

if TYPE_CHECKING:
    from torch import Tensor


class Stch:
    """Weights [T]: the gradient of TorchJD's STCH, μ log Σ_t exp(ℓ_t / (T μ)), in the mean losses ℓ_t, divided by its sum.

    All teachers are equally preferred (λ_t = 1/T), and the ideal point is 0. Small `mu` approaches the largest loss alone,
    large `mu` equal weights. Losses should be of similar size: the paper scales them, this strategy does not.
    """

    def __init__(self, *, mu: Annotated[float, Field(gt=0)] = 0.1) -> None:
        self.scalarizer = library("STCH", mu=mu)

    def weigh(self, signal: Signal) -> Tensor:
        import torch

        with torch.enable_grad():
            losses = signal.losses.double().mean(dim=1).requires_grad_()
            (weights,) = torch.autograd.grad(self.scalarizer(losses), losses)
        return (weights / weights.sum()).to(signal.losses)


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "stch",
            Stch,
            "smooth Tchebycheff: most weight for the teacher with the largest loss",
            formula="w = σ_t(ℓ_t / (T·mu))",
            latex=r"w = \sigma_t\left(\frac{\ell_t}{T \, \mathrm{mu}}\right)",
            source="Lin et al., ICML 2024, arXiv 2402.19078; TorchJD",
            status="library",
        )
    ]
