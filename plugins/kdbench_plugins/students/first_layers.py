"""Cuts a tower of an open_clip model after its first layers. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from kdbench.errors import ParameterError

Side = Literal["image", "text"]


def keep_first(plugin: str, clip: Any, side: Side, count: int) -> bool:
    """Drops all transformer blocks of a tower after the first `count`, in place; what is kept is left as it is.

    Returns whether open_clip's config can say so, which it cannot for towers of timm. Raises ParameterError, for the parameter
    `side` of `plugin`, if the tower is no plain stack of blocks or has fewer.
    """
    tower = clip.visual if side == "image" else getattr(clip, "text", clip)
    holder, name = _stack(tower)
    blocks = getattr(holder, name, None)
    if blocks is None or len({_form(block) for block in blocks}) != 1:
        found = type(getattr(tower, "trunk", tower)).__name__
        expected = f"null: the {side} tower, {found}, is no stack of equal transformer blocks"
        raise ParameterError.at(plugin, (side,), count, expected, "Take a transformer, or keep the whole tower")
    if count > len(blocks):
        raise ParameterError.at(plugin, (side,), count, f"at most {len(blocks)}, the layers of the teacher's {side} tower")
    setattr(holder, name, blocks[:count])
    if name == "resblocks":
        holder.layers = count
    return name == "resblocks"


def _stack(tower: Any) -> tuple[Any, str]:
    """Where a tower keeps its blocks: open_clip's transformers or timm's."""
    own = getattr(tower, "transformer", None)
    return (own, "resblocks") if hasattr(own, "resblocks") else (getattr(tower, "trunk", None), "blocks")


def _form(block: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(value.shape)) for name, value in block.named_parameters())
