"""What an image tower costs a picture, counted on a model without weights (torch's device `meta`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kdbench import ImageCost


def measured(tower: Callable[[Any], Any], size: int | Sequence[int]) -> ImageCost:
    """The width and the operations of a tower on one picture of a size (height and width, or one number for both)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    height, width = (size, size) if isinstance(size, int) else size
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        embedding = tower(torch.empty(1, 3, height, width, device="meta"))
    return ImageCost(int(embedding.shape[-1]), int(counter.get_total_flops()))
