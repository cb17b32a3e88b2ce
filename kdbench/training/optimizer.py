"""AdamW with linear warm-up, a cosine decay to zero, and learning rates by name of parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdbench.errors import KdbenchError, nearest
from kdbench.suite.settings import Train
from kdbench.training.patterns import closest


def adamw(student: nn.Module, heads: nn.Module, settings: Train) -> torch.optim.AdamW:
    """AdamW over the trainable parameters (Loshchilov & Hutter, ICLR 2019); only matrices and filters decay.

    Each group has a `scale`: its learning rate is that many times the scheduled one.
    """
    groups = [*_groups(student, settings.weight_decay, settings.lr_scale), *_groups(heads, settings.weight_decay, {})]
    # A stage may freeze the whole student, and have no heads.
    return torch.optim.AdamW(groups or [{"params": [], "scale": 1.0}], lr=settings.lr, fused=True)


def _groups(module: nn.Module, weight_decay: float, scales: Mapping[str, float]) -> list[dict[str, Any]]:
    found: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            found.setdefault((parameter.dim() > 1, scale_of(name, scales)), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay if decays else 0.0, "scale": scale}
        for (decays, scale), parameters in sorted(found.items(), key=lambda item: item[0], reverse=True)
    ]


def scale_of(name: str, scales: Mapping[str, float]) -> float:
    """The factor of a parameter's learning rate: that of the longest pattern that fits its name, 1 if none does."""
    pattern = closest(name, scales)
    return 1.0 if pattern is None else scales[pattern]


def freeze(module: nn.Module, scales: Mapping[str, float], where: str = "train", whole: bool = False) -> list[nn.Parameter]:
    """Freezes the parameters whose factor is 0, and leaves submodules that have no other parameters in eval mode.

    Returns those that could be trained before. Parts that the student has frozen itself keep their mode. Raises KdbenchError,
    which names the block `where`, for a pattern that matches no parameter, or if nothing is left to train, unless `whole`.
    """
    names = [name for name, _ in module.named_parameters()]
    for pattern in scales:
        if not any(closest(name, [pattern]) for name in names):
            raise KdbenchError(
                f"{where}.lr_scale: found {pattern!r}, which matches no parameter of the student; "
                f"expected a pattern of names such as {', '.join(names[:3])}. {nearest(pattern, [*_parts(names), *names])}"
            )
    frozen = {parameter for name, parameter in module.named_parameters() if scale_of(name, scales) == 0}
    changed = [parameter for parameter in frozen if parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    if scales and not whole and not any(parameter.requires_grad for parameter in module.parameters()):
        raise KdbenchError(f"{where}.lr_scale: found {dict(scales)}, which freezes the whole student; expected a part to train")
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and frozen.issuperset(parameters):
            part.eval()
    return changed


def _parts(names: Sequence[str]) -> list[str]:
    """Patterns of the parts of a module: `clip.*`, `clip.visual.*`."""
    stems = {name.rpartition(".")[0] for name in names}
    steps = {tuple(stem.split(".")[: depth + 1]) for stem in stems if stem for depth in range(stem.count(".") + 1)}
    return [f"{'.'.join(step)}.*" for step in sorted(steps)]


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
