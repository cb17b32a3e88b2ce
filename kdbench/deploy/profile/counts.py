"""Figures of a student that no clock is needed for: parameters and operations of its towers, bytes of its weights."""

from __future__ import annotations

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kdbench.deploy.profile.subject import Subject, TowerName, at_inference


def tower_parameters(subject: Subject, tower: TowerName) -> list[nn.Parameter]:
    """Those that a tower's embeddings depend on, each once: a gradient finds its way to them, frozen ones included.

    Nothing of the module is changed. A layer that a module runs without gradients is not found.
    """
    parameters = list(subject.module.parameters())
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    with at_inference(subject.module), torch.enable_grad():
        try:
            for parameter in frozen:
                parameter.requires_grad_(True)
            embeddings = subject.encode(tower, subject.batch(tower, 1))
            # autograd.grad leaves the parameters' own `.grad` alone. A zero is a gradient, None is not.
            found = torch.autograd.grad(embeddings.sum(), parameters, allow_unused=True) if parameters else ()
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)
    return [parameter for parameter, gradient in zip(parameters, found, strict=True) if gradient is not None]


def count(parameters: list[nn.Parameter]) -> int:
    """Numbers in the parameters, each parameter counted once."""
    return sum(size for size in {id(parameter): parameter.numel() for parameter in parameters}.values())


def tower_flops(subject: Subject, tower: TowerName) -> int:
    """Of one item, a multiplication and an addition being two."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # a kernel of its own, of which the counter knows nothing
    counter = FlopCounterMode(display=False)
    try:
        # Attention as plain products: older versions of torch count no other on a CPU.
        with at_inference(subject.module), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            subject.encode(tower, subject.batch(tower, 1))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return int(counter.get_total_flops())


def exported_bytes(module: nn.Module) -> int:
    """Of the module's state as a safetensors file, floating-point numbers in float32, a shared tensor written once."""
    seen: set[tuple[object, ...]] = set()
    state: dict[str, Tensor] = {}
    for name, value in module.state_dict().items():
        place = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride())
        if value.numel() and place in seen:
            continue
        seen.add(place)
        state[name] = (value.detach().cpu().float() if value.is_floating_point() else value.detach().cpu()).clone().contiguous()
    return len(save(state))
