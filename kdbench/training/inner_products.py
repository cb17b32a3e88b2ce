"""Inner products of gradients, in float64: if teachers nearly agree, float32 sums lose the differences that strategies read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 1 << 14  # numbers of each gradient that a CPU converts at a time, which stay in its cache


def inner_products(gradients: Sequence[Sequence[Tensor]]) -> Tensor:
    """[T, T], float64, on the device of T gradients, each of the same parts of any shapes."""
    first = gradients[0][0]
    total = torch.zeros(len(gradients), len(gradients), dtype=torch.float64, device=first.device)
    for part in zip(*gradients, strict=True):
        rows = [each.flatten() for each in part]
        size = BLOCK if first.device.type == "cpu" else max(1, rows[0].numel())
        for start in range(0, rows[0].numel(), size):
            block = torch.stack([row[start : start + size] for row in rows]).double()
            total.addmm_(block, block.T)
    return total
