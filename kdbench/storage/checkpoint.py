"""Saves nested training state without pickling: tensors in a safetensors file, everything else as JSON in its header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kdbench.storage.atomic import replacing

TENSOR = "__tensor__"


def save(path: Path, state: Any) -> None:
    """Writes dicts, lists, numbers, strings, None and tensors, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_flatten(state, tensors))
    with replacing(path) as partial:
        save_file(tensors, partial, metadata={"state": skeleton})


def load(path: Path) -> Any | None:
    """The state that `save` wrote, on the CPU; None if there is no file or it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            return _restore(json.loads(file.metadata()["state"]), tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _flatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # clone: safetensors refuses tensors that share memory, and a state dict may hold views
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {TENSOR: name}
    if isinstance(value, dict):
        # JSON has string keys only, and an optimizer's state has integer keys
        return {"__items__": [[key, _flatten(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_flatten(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot save {type(value).__name__}; expected tensors, numbers, strings, lists and dicts")


def _restore(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        return {key: _restore(item, tensors) for key, item in value["__items__"]}
    if isinstance(value, list):
        return [_restore(item, tensors) for item in value]
    return value


def save_weights(path: Path, module: nn.Module) -> None:
    """Writes a module's state as a plain safetensors file, also if its tensors share memory."""
    save_file({name: value.detach().cpu().clone().contiguous() for name, value in module.state_dict().items()}, path)
