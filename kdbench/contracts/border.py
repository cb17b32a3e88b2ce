"""The border between kdbench and plugins: who returned what, and what the contract expects instead.

Each contract is checked once where values of a plugin come in: types, shapes, kinds of numbers. A dataset's items are checked
in `kdbench.data.checked_items`, encoders in `kdbench.data.borders`, a step in `kdbench.training.borders`, a task's own kinds by
`Task.check_plugin` and `Task.check_outputs`. The conformance kit calls the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdbench.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor


def owner(plugin: object) -> str:
    """The module and class of a plugin, which also tell its package: `acme_plugin.Mine`."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__module__}.{kind.__qualname__}"


def refused(plugin: object, what: str, found: str, expected: str, hint: str = "") -> PluginError:
    """The error of a value that breaks a contract. `what` is a method or an attribute of the plugin."""
    return PluginError(f"{owner(plugin)}.{what}: found {found}, expected {expected}" + (f"; {hint}" if hint else ""))


def described(value: object) -> str:
    """A short description: `float32 of shape [9, 48]` of a tensor, `numpy.ndarray, float64 of shape [9]`, `'abc'`."""
    if type(value).__module__ == "torch" and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {list(getattr(value, 'shape', []))}"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{type(value).__module__}.{type(value).__name__}, {value.dtype} of shape {list(value.shape)}"
    text = repr(value)
    if value is None or isinstance(value, str | int | float | bool):
        return text if len(text) <= 60 else text[:57] + "..."
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, Sequence) else type(value).__name__


def checked_tensor(value: object, plugin: object, method: str, *shapes: Sequence[int | None], floats: bool = True) -> Tensor:
    """The value, if it is a tensor of one of the shapes (None: any length), with floating-point numbers if `floats`.

    Raises PluginError, naming plugin, method, what was found and what is expected.
    """
    import torch

    wanted = " or ".join(str(["?" if length is None else length for length in shape]).replace("'", "") for shape in shapes)
    if not isinstance(value, torch.Tensor):
        raise refused(plugin, method, described(value), f"a torch tensor of shape {wanted}")
    fits = any(
        value.dim() == len(shape) and all(length in (None, own) for length, own in zip(shape, value.shape, strict=True))
        for shape in shapes
    )
    if not fits:
        raise refused(plugin, method, f"shape {list(value.shape)}", wanted)
    if floats and not value.is_floating_point():
        raise refused(plugin, method, str(value.dtype).removeprefix("torch."), "floating-point numbers")
    return value


def required(plugin: object, kind: str, methods: Sequence[str]) -> None:
    """Raises PluginError if the plugin, of a kind such as "a student", lacks one of the methods."""
    for name in methods:
        if not callable(getattr(plugin, name, None)):
            found = described(getattr(plugin, name)) if hasattr(plugin, name) else "nothing"
            raise refused(plugin, name, found, f"a method, which {kind} must have")
