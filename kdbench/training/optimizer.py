"""AdamW with linear warm-up and a cosine decay to zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from kdbench.suite.settings import Train


def adamw(modules: Sequence[nn.Module], settings: Train) -> torch.optim.AdamW:
    """AdamW over the trainable parameters (Loshchilov & Hutter, ICLR 2019); only matrices and filters decay."""
    groups = [group for module in modules for group in _decay_groups(module, settings.weight_decay)]
    return torch.optim.AdamW(groups, lr=settings.lr, fused=True)


def schedule(step: int, steps: int, warmup: float) -> float:
    """Fraction of the peak learning rate at a step, counted from 0: linear warm-up, then cosine decay to zero."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Loads a state from a file, with each moment in the memory format of its parameter, such as channels-last.

    Fused AdamW requires equal memory formats of a parameter and its moments; a file keeps values, not strides.
    """
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)


def _decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters; none on biases, norms and scales."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": group, "weight_decay": decay}
        for group, decay in (
            ([p for p in parameters if p.dim() > 1], weight_decay),
            ([p for p in parameters if p.dim() <= 1], 0.0),
        )
        if group
    ]
