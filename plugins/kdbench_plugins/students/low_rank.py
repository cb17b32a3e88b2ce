"""Low-rank additions to weights, added whenever a weight is read. Imports torch: import it where a module is built.

A parametrisation of the weight, W + s·B A, and not a second path beside the layer: it serves convolutions and the packed
projections of attention like linear layers, and what is merged is what was computed, to the last bit. The library peft wraps
layers instead, which open_clip's attention passes by, because it reads its weights itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

Place = tuple[str, nn.Module, str]  # the name of a layer, the layer, and the name of its weight


class LowRank(nn.Module):
    """Gives W + scale·B A for a weight W of m rows of n numbers, with A [rank, n], drawn, and B [m, rank], zero at first.

    If `linear` is true, A keeps its initial values A₀: the addition is then linear in what is trained.
    """

    A: Tensor

    def __init__(self, weight: Tensor, rank: int, scale: float, linear: bool = False) -> None:
        super().__init__()
        self.scale = scale
        drawn = torch.empty(rank, weight[0].numel(), device=weight.device)
        nn.init.kaiming_uniform_(drawn, a=math.sqrt(5))  # as LoRA's own code, and torch's for a linear layer
        if linear:
            self.register_buffer("A", drawn)
        else:
            self.A = nn.Parameter(drawn)
        self.B = nn.Parameter(torch.zeros(len(weight), rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.B @ self.A).view_as(weight)


def weights_of(module: nn.Module, prefix: str = "") -> Iterator[Place]:
    """The weights of linear layers, convolutions and attention's packed projections."""
    for name, part in module.named_modules(prefix=prefix):
        if isinstance(part, nn.Linear | _ConvNd):
            yield name, part, "weight"
        elif isinstance(part, nn.MultiheadAttention) and part.in_proj_weight is not None:
            yield name, part, "in_proj_weight"


class Adapters:
    """Low-rank additions to some weights of a student's module. All else is frozen but the scale and bias of its logits.

    Batch norms keep their running statistics, as the base has them.
    """

    def __init__(self, module: Any, places: Iterable[Place], make: Callable[[Tensor], LowRank]) -> None:
        self.module = module
        self.added = [(part, name, make(getattr(part, name))) for _, part, name in places]
        self.frozen: Sequence[nn.Parameter] = ()
        self._hooks: list[Any] = []
        self.attach()

    def attach(self) -> None:
        """Freezes the module and adds the additions, which keep their values."""
        self.frozen, self._hooks = freeze(self.module)
        for part, name, addition in self.added:
            parametrize.register_parametrization(part, name, addition)

    def merge(self) -> None:
        """Makes the additions part of the weights, in place: the module is as it was built, with other values."""
        for part, name, _ in self.added:
            if parametrize.is_parametrized(part, name):
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
        for hook in self._hooks:
            hook.remove()
        for parameter in self.frozen:
            parameter.requires_grad_(True)
        self.frozen, self._hooks = (), []


def freeze(module: Any) -> tuple[list[nn.Parameter], list[Any]]:
    """Freezes all but the scale and bias of the logits, running statistics of batch norms too, also in training mode.

    Returns the parameters that were not frozen before, and the hooks that keep the batch norms.
    """
    own = [id(scale) for scale in (module.logit_scale, getattr(module, "logit_bias", None))]
    frozen = [one for one in module.parameters() if one.requires_grad and id(one) not in own]
    for parameter in frozen:
        parameter.requires_grad_(False)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    return frozen, [norm.register_forward_pre_hook(_stay_in_eval_mode) for norm in norms]


def _stay_in_eval_mode(norm: nn.Module, _: object) -> None:
    norm.eval()
