"""Where the last layers of an open_clip tower begin: what they are, and what they are given."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, KdbenchError, Modality
from kdbench_plugins.openclip import package_version
from kdbench_plugins.teachers.tower import settled, tensor_of

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class HiddenStates:
    """Encodes what a tower reads to the features of all its positions before its last `layers`, [B, positions, width].

    Positions of a text after its end are zeros. `module` is the student module of an open_clip model, `base` its reader.
    """

    def __init__(self, module: Any, base: Encoder, layers: int) -> None:
        from kdbench import module_digest

        self.module, self.layers = module, layers
        self.base: Encoder | None = base
        self.modality: Modality = base.modality
        parts = (FORMAT, self.modality, layers, package_version("open_clip_torch"), base.key, module_digest(module))
        self.key = hashlib.sha256(f"hidden states {parts}".encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        module, inputs = settled(self.module, device), tensor_of(items, device)
        found: list[Tensor] = []
        first = last_layers(module.clip, self.modality, self.layers)[0]
        hook = first.register_forward_pre_hook(lambda _, given: found.append(given[0]))
        try:
            with torch.no_grad():
                if self.modality == "image":
                    module.encode_image(inputs)
                    return found[0]
                words: Tensor = module.encode_text_tokens(inputs)[-1]
                return found[0] * words[..., None]
        finally:
            hook.remove()


def tower_of(clip: Any, modality: Modality) -> Any:
    """The part of an open_clip model that holds a tower's transformer and its last norm."""
    return clip.visual if modality == "image" else getattr(clip, "text", clip)


def last_layers(clip: Any, modality: Modality, count: int) -> list[Any]:
    """The last layers of a tower. Raises KdbenchError unless it has as many, which are open_clip's transformer blocks."""
    from torch.nn import MultiheadAttention

    blocks = list(getattr(getattr(tower_of(clip, modality), "transformer", None), "resblocks", []))
    if not blocks or not all(isinstance(getattr(block, "attn", None), MultiheadAttention) for block in blocks):
        raise KdbenchError(
            f"found an {modality} tower that is no transformer of open_clip's own; expected one to put prompts in"
        )
    if len(blocks) < count:
        raise KdbenchError(f"found {len(blocks)} layers in the {modality} tower; expected at least {count}, those with prompts")
    return blocks[-count:]
