"""Inner products of gradients, in float64: if teachers nearly agree, float32 sums lose the differences that strategies read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 1 << 14  # numbers of each gradient that a CPU converts at a time, which stay in its cache


@torch.no_grad()  # nothing is differentiated through a Gramian
def inner_products(gradients: Sequence[Sequence[Tensor]]) -> Tensor:
    """[T, T], float64, on the device of T gradients, each of the same parts of any shapes."""
    first = gradients[0][0]
    on_cpu = first.device.type == "cpu"
    total = torch.zeros(len(gradients), len(gradients), dtype=torch.float64, device=first.device)
    for part in zip(*gradients, strict=True):
        for pieces in zip(*(each.flatten().split(BLOCK if on_cpu else max(1, each.numel())) for each in part), strict=True):
            block = total.new_empty(len(pieces), len(pieces[0]))
            for row, piece in zip(block, pieces, strict=True):
                row.copy_(piece)
            total.addmm_(block, block.T)
    return total
