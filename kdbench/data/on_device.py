"""Copies from this process to a device, for which it does not wait: a GPU may still compute the step before."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def on_device(values: NDArray[Any], device: str) -> Tensor:
    """A copy of stored values as a tensor; floating-point values become float32."""
    tensor = moved(torch.from_numpy(np.array(values)), device)  # a copy: memory maps are read-only
    return tensor.float() if tensor.is_floating_point() else tensor


def moved(values: Tensor, device: str) -> Tensor:
    """The values, which are on the CPU, on a device; on a GPU from pinned memory."""
    return values.pin_memory().to(device, non_blocking=True) if device.startswith("cuda") else values.to(device)
