"""The networks of `mtkd_rl` and their optimisers. Imports torch: import it where a module is built."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cosine_similarity

HIDDEN = 128


class Agent(nn.Module):
    """Maps states [B, S] to distributions over T teachers [B, T]: linear 128, ReLU, linear T, softmax.

    The first layer has no bias, as in the paper's code. Weights are uninitialised: initialise them with `drawn` or load them.
    """

    def __init__(self, states: int, teachers: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.empty(HIDDEN, states))
        self.head = nn.Parameter(torch.empty(teachers, HIDDEN))
        self.bias = nn.Parameter(torch.empty(teachers))

    def forward(self, states: Tensor) -> Tensor:
        return ((states @ self.hidden.T).relu() @ self.head.T + self.bias).softmax(dim=1)


class Maps(nn.Module):
    """P_t [2, d_t, d]: for each teacher, linear maps from the student's image and text embeddings to its own."""

    def __init__(self, shapes: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.maps = nn.ParameterList([nn.Parameter(torch.empty(*shape)) for shape in shapes])

    def forward(self, student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
        """Maps embeddings z [2, B, d] and T tensors z_t [2, B, d_t] to the cosines of P_t z and z_t, averaged over the
        modalities, [B, T]."""
        cosines = [
            cosine_similarity(student @ matrix.transpose(1, 2), teacher, dim=2).mean(dim=0)
            for matrix, teacher in zip(self.maps, teachers, strict=True)
        ]
        return torch.stack(cosines, dim=1)


@torch.no_grad()
def drawn(module: nn.Module, generator: Generator) -> nn.Module:
    """Initialises the module as torch does linear layers, uniformly within ±1/√inputs, from `generator` only."""
    for parameter in module.parameters():
        bound = (parameter.shape[-1] if parameter.dim() > 1 else HIDDEN) ** -0.5
        parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
    return module


class Learner:
    """A module and its Adam, saved and loaded together."""

    def __init__(self, module: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        self.module = module
        self.optimizer = torch.optim.Adam(module.parameters(), lr=lr, weight_decay=weight_decay)

    def step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def to(self, device: torch.device) -> None:
        """Moves weights and moments to the device."""
        if next(self.module.parameters()).device != device:
            self.module.to(device)
            self._load_moments(self.optimizer.state_dict()["state"])

    def state_dict(self) -> dict[str, Any]:
        """Returns copies, which further steps do not change."""
        moments = deepcopy(self.optimizer.state_dict()["state"])
        return {"weights": {name: value.clone() for name, value in self.module.state_dict().items()}, "moments": moments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["weights"])
        self._load_moments(deepcopy(state["moments"]))

    def _load_moments(self, moments: dict[int, Any]) -> None:
        self.optimizer.load_state_dict({"state": moments, "param_groups": self.optimizer.state_dict()["param_groups"]})
