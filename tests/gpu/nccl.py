"""One process with NCCL (gloo on a CPU): what ranks exchange arrives, and the relayed gradients are those of one process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from kdbench.training.distributed import Relay, World


def measure(device: str, small: bool) -> dict[str, Any]:  # noqa: ARG001
    backend = "nccl" if device.startswith("cuda") else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(torch.device(device).index or 0)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(backend, f"file://{Path(folder) / 'meeting'}", rank=0, world_size=1)
        try:
            return {"backend": backend, **exchanged(device), **relayed(device)}
        finally:
            dist.destroy_process_group()


def exchanged(device: str) -> dict[str, Any]:
    values = torch.arange(12.0, device=device).reshape(4, 3)
    parts = [torch.empty_like(values)]
    dist.all_gather(parts, values)
    summed = values.clone()
    dist.all_reduce(summed)
    dist.broadcast(summed, 0)
    objects: list[Any] = [{"metrics": 1.0}]
    dist.broadcast_object_list(objects, 0)
    arrived = torch.equal(parts[0], values) and torch.equal(summed, values) and objects == [{"metrics": 1.0}]
    return {"exchanged": arrived}


def relayed(device: str) -> dict[str, Any]:
    """A `Relay` in a world of one, against a plain backward."""
    torch.manual_seed(0)
    module, inputs = nn.Linear(8, 4).to(device), torch.randn(6, 8, device=device)
    grad = torch.randn(6, 4, device=device)
    module(inputs).backward(grad)
    plain = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
    module.zero_grad()
    Relay([module]).backward([module(inputs)], [grad], World())
    found = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    return {"relayed": all(torch.allclose(*pair) for pair in zip(found, plain, strict=True))}
