"""A low-rank change of a frozen two-tower module that learns beside a student. Imports torch: import it where it is used."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kdbench import Batch, KdbenchError, Pairs
from kdbench_plugins.objectives.info_nce import info_nce


class LowRank(nn.Module):
    """W + s·B·A for every weight W of the linear maps of a module, B zero at first, A as drawn by LoRA (Hu et al. 2021).

    Raises KdbenchError if the module has no linear map.
    """

    def __init__(self, module: nn.Module, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.names = linear_weights(module)
        if not self.names:
            raise KdbenchError(f"found no linear map in {type(module).__name__}; expected one that low-rank factors can change")
        weights = [module.get_parameter(name) for name in self.names]
        self.down = nn.ParameterList([nn.Parameter(torch.empty(rank, weight.shape[1])) for weight in weights])
        self.up = nn.ParameterList([nn.Parameter(torch.zeros(weight.shape[0], rank)) for weight in weights])
        for factor in self.down:
            nn.init.kaiming_uniform_(factor, a=math.sqrt(5))

    def changed(self, module: nn.Module) -> dict[str, Tensor]:
        """The changed weights by name."""
        factors = zip(self.names, self.up, self.down, strict=True)
        return {name: module.get_parameter(name) + self.scale * up @ down for name, up, down in factors}


def linear_weights(module: nn.Module) -> list[str]:
    """Names of the weights of linear maps and of the joint projections of attention."""
    kept = {nn.Linear: "weight", nn.MultiheadAttention: "in_proj_weight"}
    found = []
    for name, part in module.named_modules():
        for kind, weight in kept.items():
            if isinstance(part, kind) and getattr(part, weight) is not None:
                found.append(f"{name}.{weight}" if name else weight)
    return found


class Encoding(nn.Module):
    """A two-tower module as a function of one input: `functional_call` calls `forward` alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, method: str, inputs: Tensor) -> Tensor:
        made: Tensor = getattr(self.module, method)(inputs)
        return made

    def with_weights(self, weights: dict[str, Tensor], method: str, inputs: Tensor) -> Tensor:
        """The embeddings [B, d] that the module gives with some weights replaced."""
        named = {f"module.{name}": weight for name, weight in weights.items()}
        made: Tensor = functional_call(self, named, (method, inputs))
        return made


def adapter_loss(own: Pairs, student: Pairs, batch: Batch, gamma: float) -> Tensor:
    """CE(p) + γ·KL(q ‖ p) of in-batch distributions p of the teacher and q of the student, both ways averaged."""
    losses = []
    for mine, other in ((own.logits, student.logits.detach()), (own.logits.T, student.logits.detach().T)):
        divergence = nn.functional.kl_div(
            mine.log_softmax(dim=1), other.log_softmax(dim=1), log_target=True, reduction="batchmean"
        )
        losses.append(info_nce(mine, batch.same.to(mine)).mean() + gamma * divergence)
    return torch.stack(losses).mean()


def optimizer_of(factors: LowRank, rate: float) -> Any:
    """Adam over the factors."""
    return torch.optim.Adam(factors.parameters(), lr=rate)
