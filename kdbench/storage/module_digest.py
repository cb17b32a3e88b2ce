"""Digests of a torch module: of its state, and of its structure, which gives the state a meaning.

Two modules with equal states may compute different things: an activation, a number of heads, a causal mask or a way of pooling
changes no tensor. A key of what a module computes therefore holds both digests.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DEPTH = 5  # levels of nested values that are read
HOOKS = ("_forward_hooks", "_forward_pre_hooks")  # a hook may replace inputs and outputs


def module_digest(module: nn.Module, without: str = "") -> str:
    """sha256 of the state and the structure of a module; `without` names a submodule that is left out, such as `visual`.

    Equal for two builds of one model, in any process, on any device, in training and in eval mode. Versions of libraries are
    not part of it: put those of the library that implements the module into your key.
    """
    state = state_digest(module, without=f"{without}." if without else "\0")
    return hashlib.sha256(f"{state}|{structure_digest(module, without)}".encode()).hexdigest()


def state_digest(module: nn.Module, prefix: str = "", without: str = "\0") -> str:
    """sha256 over names, types, shapes and bytes of the state's entries that have one prefix and not the other."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if name.startswith(prefix) and not name.startswith(without):
            digest.update(f"{name}|{value.dtype}|{list(value.shape)}|".encode())
            digest.update(_bytes(value))
    return digest.hexdigest()


def structure_digest(module: nn.Module, without: str = "") -> str:
    """sha256 over the classes of all submodules, their attributes, buffers outside the state, and names of hooks."""
    digest = hashlib.sha256()
    for name, part in module.named_modules():
        if without and (name == without or name.startswith(f"{without}.")):
            continue
        digest.update(json.dumps([name, _of(type(part)), _settings(part)], sort_keys=True).encode())
    return digest.hexdigest()


def _settings(part: nn.Module) -> dict[str, Any]:
    """What a submodule holds beside its state and its own submodules."""
    found = {name: described(value) for name, value in vars(part).items() if not name.startswith("_") and name != "training"}
    for name in getattr(part, "_non_persistent_buffers_set", ()):
        found[f"buffer {name}"] = described(part._buffers[name])
    for hooks in HOOKS:
        found[hooks] = [described(hook) for hook in getattr(part, hooks, {}).values()]
    return found


def described(value: object, depth: int = DEPTH) -> object:
    """A value as JSON that is equal for equal values in every process; addresses, devices and modules are left out."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}  # JSON has no infinity
    if isinstance(value, Tensor):
        return {"tensor": [str(value.dtype), list(value.shape), hashlib.sha256(_bytes(value)).hexdigest()]}
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        content = repr(array.tolist()) if array.dtype == object else array.tobytes().hex()
        return {"array": [str(array.dtype), list(array.shape), hashlib.sha256(content.encode()).hexdigest()]}
    if isinstance(value, type):
        return {"class": _of(value)}
    if isinstance(value, torch.dtype | torch.memory_format | Enum):
        return {"constant": str(value)}
    if depth == 0 or isinstance(value, nn.Module | torch.device | logging.Logger):
        return {"instance": _of(type(value))}
    return _composed(value, depth - 1)


def _composed(value: object, depth: int) -> object:
    """A value that holds other values."""
    if isinstance(value, Mapping):
        return {"map": sorted(([described(key, depth), described(item, depth)] for key, item in value.items()), key=json.dumps)}
    if isinstance(value, list | tuple):
        return [described(item, depth) for item in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted((described(item, depth) for item in value), key=json.dumps)}
    if isinstance(value, partial):
        return {"partial": [described(item, depth) for item in (value.func, value.args, value.keywords)]}
    if isinstance(value, MethodType):
        return described(value.__func__, depth)
    if isinstance(value, FunctionType):
        enclosed = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        held = [value.__defaults__, value.__kwdefaults__, enclosed]
        return {"function": [_of(value), *(described(item, depth) for item in held)]}
    if isinstance(value, BuiltinFunctionType):
        return {"function": _of(value)}
    if is_dataclass(value):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        return {_of(type(value)): described(own, depth)}
    own = {name: item for name, item in getattr(value, "__dict__", {}).items() if not name.startswith("_")}
    return {_of(type(value)): described(own, depth)}


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _of(named: Any) -> str:
    return f"{named.__module__}.{named.__qualname__}"


def _bytes(value: Tensor) -> Any:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data  # bytes, because numpy has no bfloat16
