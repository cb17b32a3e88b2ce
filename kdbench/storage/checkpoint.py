"""Saves nested training state without pickling: tensors in a safetensors file, everything else as JSON in its header.

The header also has a hash of the content, which is checked when it is read, and says which training the state is of.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kdbench.errors import KdbenchWarning
from kdbench.storage.atomic import erase, partial_folder, put
from kdbench.storage.room import writing

TENSOR = "__tensor__"
CONTENT = "checkpoint"  # of the header: what is no tensor


class Unreadable(Exception):
    """A file is no checkpoint, or a damaged one. The message says why."""


@dataclass(frozen=True)
class Checkpoint:
    """The file of a training's state, with its `origin`, a text that says which training that is.

    `changes` returns a clause that says how the origin of a file that is there differs, "" if it does not.
    """

    path: Path
    origin: str = ""
    changes: Callable[[str], str] = lambda _: ""

    def save(self, state: Any) -> None:
        """Writes the state whole or not at all."""
        save(self.path, state, self.origin)

    def load(self) -> Any | None:
        """The state, on the CPU, or None. A damaged file, or one of another training, is removed with a warning."""
        if not os.path.lexists(self.path):
            return None
        try:
            state, origin = _read(self.path)
            why = self.changes(origin)
        except Unreadable as error:
            why = str(error)
        if not why:
            return state
        warnings.warn(f"{self.path} is removed and the training starts anew: {why}", KdbenchWarning, stacklevel=2)
        erase(self.path)
        return None


def save(path: Path, state: Any, origin: str = "") -> None:
    """Writes dicts, lists, numbers, strings, None and tensors, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    header = {"state": json.dumps(_flatten(state, tensors)), "origin": origin}
    # One entry: the order of several is another each time, and equal states have equal files.
    _write(path, tensors, {CONTENT: json.dumps(header | {"sha256": _digest(header, tensors)})})


def load(path: Path) -> Any | None:
    """The state that `save` wrote, on the CPU; None if there is no file, or none that is whole."""
    try:
        return _read(path)[0]
    except Unreadable:
        return None


def _read(path: Path) -> tuple[Any, str]:
    if not path.is_file():  # a pipe would block, a device never end
        raise Unreadable("it is no plain file")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            entries = file.metadata() or {}
        header = json.loads(entries.get(CONTENT, "{}"))
        stated = header.pop("sha256", "")
        if header.keys() != {"state", "origin"} or not stated:
            raise Unreadable(f"found a header with {', '.join(sorted(entries)) or 'nothing'}, expected that of a checkpoint")
        if (found := _digest(header, tensors)) != stated:
            raise Unreadable(f"found sha256 {found[:12]}…, expected {stated[:12]}…")
        return _restore(json.loads(header["state"]), tensors), header["origin"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"it is damaged ({error})") from error


def _digest(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    about = {name: [str(value.dtype), list(value.shape)] for name, value in tensors.items()}
    whole = hashlib.sha256(json.dumps([dict(header), about], sort_keys=True).encode())
    for name in sorted(tensors):
        whole.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


def _flatten(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = _own(value)
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
    _write(path, {name: _own(value) for name, value in module.state_dict().items()})


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str] | None = None) -> None:
    """In a folder first: the library makes a private file under a random name, which a killed process would leave."""
    with writing(path), partial_folder(path) as folder:
        file = folder / path.name
        try:
            save_file(tensors, file, header)
        except SafetensorError as error:  # the library's only error, of a full disk, too
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise
        file.chmod(folder.stat().st_mode & 0o666)
        put(file, path)


def _own(value: Tensor) -> Tensor:
    """A copy: safetensors refuses tensors that share memory, as those of a state dict may."""
    return value.detach().cpu().clone().contiguous()
