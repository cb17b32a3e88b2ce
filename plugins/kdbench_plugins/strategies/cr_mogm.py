"""`cr_mogm`: a moving average of another strategy's weights. Zhou et al., NeurIPS 2022."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kdbench import Offer, Signal, Strategy, Uses, build, hookimpl
from kdbench_plugins.strategies.torchjd_weightings import library

if TYPE_CHECKING:
    from torch import Tensor

PASSED_ON = ("check_teams", "observe", "observe_after", "end_epoch", "report")


class CrMogm:
    """Weights λ_k = alpha·λ_{k−1} + (1 − alpha)·w_k, [T], by TorchJD's CRMOGMWeighting; λ_0 is w_1.

    w_k are the weights of `strategy` at step k; of weights per sample or pair, the mean over the batch, because every step
    has other samples. `alpha` is constant; the paper suggests to raise it as the learning rate falls. The strategy is `raw`
    if the smoothed one is.
    """

    def __init__(
        self, *, strategy: Annotated[dict[str, Any], Uses("strategy")], alpha: Annotated[float, Field(ge=0, le=1)] = 0.9
    ) -> None:
        self.inner: Any = build("strategy", strategy)
        self.raw = getattr(self.inner, "raw", False)
        self.one_tower = getattr(self.inner, "one_tower", True)
        self.average = library("CRMOGMWeighting", weighting=self._of_teachers, alpha=alpha)
        for method in PASSED_ON:
            if hasattr(self.inner, method):
                setattr(self, method, getattr(self.inner, method))

    def weigh(self, signal: Signal) -> Tensor:
        weights: Tensor = self.average(signal)
        return weights.to(signal.losses)

    def _of_teachers(self, signal: Signal) -> Tensor:
        weights: Tensor = self.inner.weigh(signal).double()
        return weights if weights.dim() == 1 else weights.flatten(1).mean(dim=1)

    def state_dict(self) -> dict[str, Any]:
        average = {name: value.clone() for name, value in self.average.state_dict().items()}
        return {"average": average, "strategy": self.inner.state_dict() if hasattr(self.inner, "state_dict") else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average.reset()
        if state["average"]:
            self.average._lambda = state["average"]["_lambda"].clone()
        if hasattr(self.inner, "load_state_dict"):
            self.inner.load_state_dict(state["strategy"])


@hookimpl
def kdbench_strategies() -> list[Offer[Strategy]]:
    return [
        Offer(
            "cr_mogm",
            CrMogm,
            "a moving average of another strategy's weights",
            formula="λ_k = alpha·λ_{k−1} + (1 − alpha)·w_k",
            latex=r"\lambda_k = \mathrm{alpha} \, \lambda_{k-1} + (1 - \mathrm{alpha}) \, w_k",
            source="CR-MOGM, Zhou et al., NeurIPS 2022; TorchJD",
            status="library",
            example={"strategy": {"use": "torchjd:mgda"}},
        )
    ]
