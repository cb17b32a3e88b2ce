"""The precision that a student is trained in, and whether its outputs in bf16 are those in fp32."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from kdbench.plugins.library_warnings import LibraryWarning

PROBED = 32  # samples
# Of the emoji suite's student, 32 embeddings have cosines of at least 0.9999.
CLOSE = 0.99


def in_bf16(precision: str, device: str) -> bool:
    """Whether `train.precision` means bf16 on a device: `auto` does on a GPU that supports it."""
    return precision == "bf16" or (precision == "auto" and device.startswith("cuda") and torch.cuda.is_bf16_supported())


def autocast(device: str, enabled: bool = True) -> torch.autocast:
    """A context in which a student computes in bf16, if `enabled`; its parameters stay in fp32."""
    return torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=enabled)


@torch.no_grad()
def warn_of_rounding(
    forward: Callable[[Sequence[Tensor]], Sequence[Tensor]], module: nn.Module, inputs: Sequence[Tensor], device: str
) -> None:
    """Warns if what `forward` returns for the first samples of `inputs` [B, …] in bf16 is another direction than in fp32.

    The module computes in eval mode, draws nothing, and is left as it was.
    """
    few = [each[:PROBED] for each in inputs]
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        plain = forward(few)
        with autocast(device):
            rounded = forward(few)
    finally:
        for part, training in modes.items():
            part.training = training
    worst = min((_agreement(one, other) for one, other in zip(plain, rounded, strict=True) if one.dim() > 1), default=1.0)
    if not worst >= CLOSE:
        message = (
            f"train.precision: the student's outputs in bf16 have a cosine of {worst:.3f} with those in fp32; expected at "
            f"least {CLOSE}. `precision: fp32` avoids it"
        )
        warnings.warn(message, LibraryWarning, stacklevel=2)  # which are kept in the record


def _agreement(one: Tensor, other: Tensor) -> float:
    """The smallest cosine of two rows, NaN if one is not finite."""
    return float(cosine_similarity(one.flatten(1).float(), other.flatten(1).float(), dim=1).min())
