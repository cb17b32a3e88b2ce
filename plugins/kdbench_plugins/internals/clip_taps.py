"""Where internals of an open_clip model are read: of open_clip's own towers, and of timm's as image towers.

Objectives import the names from here: what stands behind a name is part of what they compute, and of the digest of their code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from kdbench import Tap
from kdbench_plugins.internals.attention import of_timm, of_torch
from kdbench_plugins.openclip import import_timm

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# As in `kdbench.contracts.internals`.
MAPS = "maps"
IMAGE_ATTENTION = "image_attention"
TEXT_HIDDEN = "text_hidden"
TEXT_WORDS = "text_words"
TEXT_ATTENTION = "text_attention"
STAGES = ("layer1", "layer2", "layer3", "layer4")  # of open_clip's ResNets


def clip_taps(clip: Any) -> dict[str, list[Tap]]:
    """The taps of a model by name, without those that a tower of its kind does not have."""
    text = getattr(clip, "text", clip)  # open_clip's plain CLIP class has no text tower of its own
    found = {
        MAPS: map_taps(clip.visual),
        IMAGE_ATTENTION: attention_taps(clip.visual),
        TEXT_HIDDEN: [],
        TEXT_WORDS: [],
        TEXT_ATTENTION: [],
    }
    if hasattr(getattr(text, "transformer", None), "resblocks") and getattr(text, "cls_emb", None) is None:
        found[TEXT_HIDDEN] = [Tap(block, partial(tokens_of, text.transformer)) for block in text.transformer.resblocks]
        found[TEXT_WORDS] = [Tap(text.token_embedding, partial(words_of, text))]
        found[TEXT_ATTENTION] = attention_taps(text)
    return {name: taps for name, taps in found.items() if taps}


def map_taps(visual: Any) -> list[Tap]:
    """The feature maps of an image tower: of a transformer's blocks, or of the stages of a convolutional network."""
    trunk = getattr(visual, "trunk", None)
    if trunk is not None:
        known: Iterable[dict[str, Any]] = getattr(trunk, "feature_info", None) or []
        return [Tap(trunk.get_submodule(each["module"]), partial(map_of_timm, trunk)) for each in known]
    if hasattr(getattr(visual, "transformer", None), "resblocks"):
        return [Tap(block, partial(map_of_block, visual)) for block in visual.transformer.resblocks]
    return [Tap(getattr(visual, stage)) for stage in STAGES if hasattr(visual, stage)]


def attention_taps(tower: Any) -> list[Tap]:
    """The attention weights of a tower's blocks; none if one of them computes them in another way."""
    from torch import nn

    trunk = getattr(tower, "trunk", None)
    own = getattr(tower, "transformer", None) if trunk is None else trunk
    blocks: Iterable[Any] = getattr(own, "resblocks" if trunk is None else "blocks", ())
    if getattr(own, "grad_checkpointing", False):  # a block then runs a second time, when nothing reads it
        return []
    kinds: list[tuple[type[Module], Callable[..., Tensor]]] = [(nn.MultiheadAttention, of_torch)]
    kinds += [(import_timm().layers.Attention, of_timm)] if trunk is not None else []
    parts = [getattr(block, "attn", None) for block in blocks]
    for kind, weights in kinds:
        if parts and all(isinstance(part, kind) for part in parts):
            return [Tap(part, partial(_read_by, weights, part)) for part in parts if part is not None]
    return []


def _read_by(
    weights: Callable[..., Tensor],
    part: Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: Any,  # noqa: ARG001
) -> Tensor:
    return weights(part, args, kwargs)


def tokens_of(transformer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:  # noqa: ARG001
    """The output of a block as [B, L, d]."""
    return output if transformer.batch_first else output.transpose(0, 1)


def map_of_block(visual: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:
    """The output of a block of open_clip's vision transformer as a map."""
    return grid_of(tokens_of(visual.transformer, args, kwargs, output), visual.grid_size)


def map_of_timm(trunk: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:  # noqa: ARG001
    """The output of a stage or a block of timm as a map."""
    if output.dim() == 3:
        return grid_of(output, trunk.patch_embed.grid_size)
    return output.permute(0, 3, 1, 2) if getattr(trunk, "output_fmt", "") == "NHWC" else output


def grid_of(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """The tokens of patches, which come last of [B, L, d], as a map [B, d, rows, columns]: without a class's and others."""
    rows, columns = grid
    return tokens[:, tokens.shape[1] - rows * columns :].transpose(1, 2).reshape(len(tokens), -1, rows, columns)


def words_of(text: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:  # noqa: ARG001
    """[B, L]: 1 for tokens up to the end token, or all but padding in a tower without an end token; 0 for the others."""
    import torch

    tokens: Tensor = args[0]
    pool = getattr(text, "pool_type", None) or text.text_pool_type
    if pool not in ("argmax", "eos"):
        return (tokens != getattr(text, "pad_id", 0)).float()
    end = getattr(text, "eos_id", None) or getattr(text, "text_eos_id", None)
    last = tokens.argmax(dim=1) if pool == "argmax" else (tokens == end).int().argmax(dim=1)
    kept: Tensor = torch.arange(tokens.shape[1], device=tokens.device) <= last[:, None]
    return kept.float()
