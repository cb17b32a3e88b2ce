"""FFNs whose neurons are grouped into experts with scales that fade. Imports torch: import it where a module is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdbench import KdbenchError
from kdbench_plugins.students.balanced_clusters import balanced_clusters
from kdbench_plugins.students.low_rank import Adapters, LowRank, weights_of

LAYERS = (("c_fc", "c_proj"), ("fc1", "fc2"))  # of an FFN in open_clip and in timm
TEMPERATURE = 5.0


@dataclass(frozen=True)
class Ffn:
    """Two linear layers with an activation between them, W_down GELU(W_up x), in a block of a transformer."""

    name: str
    up: nn.Linear
    down: nn.Linear
    block: str  # the name of the block

    @torch.no_grad()
    def group(self, experts: int) -> None:
        """Reorders the neurons: those of an expert, whose rows of W_up are alike, follow each other. Keeps the function."""
        order = balanced_clusters(self.up.weight, experts).argsort(stable=True)
        for values in (self.up.weight, self.up.bias):
            if values is not None:
                values.copy_(values[order])
        self.down.weight.copy_(self.down.weight[:, order])


def ffns_of(module: nn.Module) -> Iterator[Ffn]:
    """The FFNs of the transformers in a module, without gated ones and those with a norm between their layers."""
    for name, part in module.named_modules():
        for first, second in LAYERS:
            up, down = getattr(part, first, None), getattr(part, second, None)
            if isinstance(up, nn.Linear) and isinstance(down, nn.Linear) and up.out_features == down.in_features:
                others = [p for child in part.children() if child not in (up, down) for p in child.parameters()]
                if not others:
                    yield Ffn(name, up, down, name.rpartition(".")[0])


class Router(nn.Module):
    """Scales of experts for each token [.., d]: ω + (1 − ω)·K·softmax(W_r x / 5), [.., K].

    W_r is zero at first, so that all scales are 1. ω starts at 0 and fades them out: after each step, ω ← fade·ω + (1 − fade).
    """

    omega: Tensor

    def __init__(self, width: int, experts: int, fade: float, device: torch.device) -> None:
        super().__init__()
        self.fade = fade
        self.weight = nn.Parameter(torch.zeros(experts, width, device=device))
        self.register_buffer("omega", torch.zeros((), device=device))

    def forward(self, x: Tensor) -> Tensor:
        scales = len(self.weight) * (nn.functional.linear(x, self.weight) / TEMPERATURE).softmax(dim=-1)
        return self.omega + (1 - self.omega) * scales

    def after_step(self) -> None:
        self.omega.mul_(self.fade).add_(1 - self.fade)


class ExpertAdapters(Adapters):
    """Low-rank additions to all layers of blocks with an FFN, and a router for each FFN, which scales it in training alone.

    In eval mode the scales are 1: what is validated is the dense model that is left.
    """

    def __init__(self, module: Any, experts: int, fade: float, make: Callable[[Tensor], LowRank]) -> None:
        self.experts, self.ffns = experts, list(ffns_of(module))
        if not self.ffns:
            raise KdbenchError(
                f"found no FFN in the student, such as {' and '.join(LAYERS[0])} in a block; expected a transformer"
            )
        for ffn in self.ffns:
            if ffn.up.out_features % experts:
                raise KdbenchError(
                    f"experts: found {experts}; expected a divisor of {ffn.up.out_features}, the neurons of {ffn.name}"
                )
        made = [Router(ffn.up.in_features, experts, fade, ffn.up.weight.device) for ffn in self.ffns]
        self.routers = list(zip(self.ffns, made, strict=True))
        blocks = tuple(f"{ffn.block}." for ffn in self.ffns)
        super().__init__(module, [place for place in weights_of(module) if place[0].startswith(blocks)], make)

    def attach(self) -> None:
        for ffn in self.ffns:
            ffn.group(self.experts)
        super().attach()
        for ffn, router in self.routers:
            ffn.up.router = router
            self._hooks.append(ffn.up.register_forward_hook(_scaled))

    def merge(self) -> None:
        super().merge()
        for ffn, _ in self.routers:
            if hasattr(ffn.up, "router"):
                del ffn.up.router


def _scaled(up: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
    if not up.training:
        return None
    scales: Tensor = up.get_submodule("router")(inputs[0])
    return output * scales.repeat_interleave(output.shape[-1] // scales.shape[-1], dim=-1)
