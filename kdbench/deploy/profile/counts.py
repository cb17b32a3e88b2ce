"""Costs that need no clock: parameters and FLOPs of a student's parts, bytes of its weights."""

from __future__ import annotations

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kdbench.deploy.profile.inference import Inference, in_eval_mode


def part_parameters(inference: Inference, part: str) -> list[nn.Parameter]:
    """The parameters that a part's output depends on, frozen ones included, found by their gradients; each once.

    The module is unchanged afterwards. Layers that a module runs without gradients are not found.
    """
    parameters = list(inference.module.parameters())
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    with in_eval_mode(inference.module), torch.enable_grad():
        try:
            for parameter in frozen:
                parameter.requires_grad_(True)
            output = inference.run(part, inference.inputs(part, 1))
            # autograd.grad does not change the parameters' `.grad`. A zero is a gradient, None is not.
            found = torch.autograd.grad(output.sum(), parameters, allow_unused=True) if parameters else ()
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)
    return [parameter for parameter, gradient in zip(parameters, found, strict=True) if gradient is not None]


def count(parameters: list[nn.Parameter]) -> int:
    """The number of elements of the parameters, each parameter counted once."""
    return sum(size for size in {id(parameter): parameter.numel() for parameter in parameters}.values())


def nonzero(parameters: list[nn.Parameter]) -> int:
    """The number of their elements that are not zero, each parameter counted once."""
    distinct = {id(parameter): parameter for parameter in parameters}.values()
    return sum(int(parameter.count_nonzero()) for parameter in distinct)


def part_flops(inference: Inference, part: str) -> int:
    """FLOPs for one input; a multiplication and an addition are two."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not support that kernel
    counter = FlopCounterMode(display=False)
    try:
        # Attention as plain matrix products: older versions of torch count nothing else on a CPU.
        with in_eval_mode(inference.module), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            inference.run(part, inference.inputs(part, 1))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return int(counter.get_total_flops())


def exported_bytes(module: nn.Module) -> int:
    """Bytes of the module's state as a safetensors file, with floats in float32 and shared tensors once."""
    seen: set[tuple[object, ...]] = set()
    state: dict[str, Tensor] = {}
    for name, value in module.state_dict().items():
        memory = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride())
        if value.numel() and memory in seen:
            continue
        seen.add(memory)
        state[name] = (value.detach().cpu().float() if value.is_floating_point() else value.detach().cpu()).clone().contiguous()
    return len(save(state))
