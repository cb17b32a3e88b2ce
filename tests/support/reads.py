"""Counts what makes a process wait for a GPU: reading values of tensors, and operators whose output size depends on values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READING = {
    getattr(Tensor, name)
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "__array__", "__contains__")
}
BY_VALUE = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "is_nonzero", "bincount"}


class Reads(TorchFunctionMode):
    """A context that counts reads on the CPU, where they need not wait. Values that `cpu` returned count once."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._read: list[Any] = []  # keeps them alive: their ids are those of no other tensor
        self._inside = _Inside(self.found)

    def __enter__(self) -> Self:
        self._inside.__enter__()  # type: ignore[no-untyped-call]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._inside.__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func not in READING:
            return func(*args, **(kwargs or {}))
        if not any(args[0] is one for one in self._read):
            self.found.append(func.__name__)
        self._inside.off += 1
        try:
            made = func(*args, **(kwargs or {}))
        finally:
            self._inside.off -= 1
        if func is Tensor.cpu:
            self._read.append(made)
        return made


class _Inside(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators that read, called by torch itself."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found, self.off = found, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put_") and any(
            isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8) for one in args[1]
        )
        if not self.off and (name in BY_VALUE or masked):
            self.found.append(name)
        return func(*args, **(kwargs or {}))
