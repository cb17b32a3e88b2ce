"""What an encoder must return, checked for every chunk: a missing row would shift all that follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast, get_args

from kdbench.contracts import Encoder, Modality
from kdbench.contracts.border import described, owner, refused, required
from kdbench.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def checked_encoder(encoder: object, holder: object, name: str) -> Encoder:
    """An encoder that `holder` has under `name`. Raises PluginError if it lacks what the contract `Encoder` asks for."""
    if getattr(encoder, "modality", None) not in get_args(Modality):
        found = described(getattr(encoder, "modality", None)) if hasattr(encoder, "modality") else f"{described(encoder)}"
        raise refused(holder, f"{name}.modality", found, "'image' or 'text' of an encoder")
    required(encoder, "an encoder", ["encode"])
    key = getattr(encoder, "key", None)
    if not isinstance(key, str) or not key:
        raise refused(encoder, "key", described(key), "a string that is not empty")
    base = getattr(encoder, "base", None)
    if base is not None:
        checked_encoder(base, encoder, "base")
    return cast(Encoder, encoder)


def checked_rows(encoder: Encoder, made: object, count: int, where: str = "") -> Tensor:
    """What `encode` returned for `count` items. Raises PluginError if it is no tensor with one row per item."""
    import torch

    method = f"encode{f' ({where})' if where else ''}"
    if not isinstance(made, torch.Tensor):
        raise refused(encoder, method, described(made), f"a torch tensor with {count} rows")
    if made.dim() == 0 or len(made) != count:
        found = f"shape {list(made.shape)}"
        raise refused(encoder, method, found, f"{count} rows, one for each item")
    if made.is_complex() or made.is_quantized:
        raise refused(encoder, method, str(made.dtype).removeprefix("torch."), "floating-point numbers or integers")
    return made


def stored_rows(encoder: Encoder, made: object, count: int, first: int, where: str, exact: bool = False) -> NDArray[Any]:
    """What `encode` returned for the items from number `first`, as stored: float16 (`exact`: float32) or integers, on the CPU.

    Raises PluginError if rows are missing or values are not finite, also if only float16 cannot hold them.
    """
    import torch

    values = checked_rows(encoder, made, count, f"{where}s {first} to {first + count - 1}").detach().cpu()
    if values.is_floating_point():
        kept = values.float() if exact else values.half()
        wrong = ~torch.isfinite(kept.flatten(1) if kept.dim() > 1 else kept[:, None]).all(dim=1)
        if wrong.any():
            row = int(wrong.nonzero()[0])
            value = next(float(number) for number in values[row].flatten().tolist() if not abs(number) <= 65504)
            expected = (
                "finite numbers" if value in (float("inf"), float("-inf")) or value != value else "at most 65504 (float16)"
            )
            others = f" and {int(wrong.sum()) - 1} more of {count} items" if wrong.sum() > 1 else f" alone of {count} items"
            raise PluginError(
                f"{owner(encoder)}.encode: found {value:g} for {where} {first + row}{others}, expected {expected}; "
                "nothing of it is kept"
            )
        values = kept
    stored: NDArray[Any] = values.numpy()
    return stored


class EqualRows:
    """Rows of one encoder on one split, of which every chunk has the same shape and type as the first and passes `check`."""

    def __init__(self, encoder: Encoder, check: Callable[[NDArray[Any]], object] | None = None) -> None:
        self.encoder, self.check = encoder, check
        self.first: tuple[tuple[int, ...], np.dtype[Any]] | None = None

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """The chunk [B, …]. Raises PluginError if its rows differ from the first chunk's."""
        here = values.shape[1:], values.dtype
        self.first = self.first or here
        if here != self.first:
            found, expected = (f"rows of {dtype} {list(shape)}" for shape, dtype in (here, self.first))
            raise refused(self.encoder, "encode", found, f"{expected}, as for the first items")
        if self.check is not None:
            self.check(values)
        return values
