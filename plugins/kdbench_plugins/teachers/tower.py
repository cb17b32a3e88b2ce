"""A trained tower of a two-tower model as a frozen encoder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality, Student, Towers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

FORMAT = 2
MAX_SCALE = 100.0  # CLIP's bound on the scale of its logits


class Tower:
    """Encodes its base's outputs [B, ...] to unit vectors [B, d]."""

    def __init__(self, module: Module, base: Encoder, design: str) -> None:
        """`design` identifies what the module's digest cannot see, such as the code of its `encode_image`."""
        from kdbench import module_digest

        self.module = module
        self.base: Encoder | None = base
        self.modality: Modality = base.modality
        identity = f"tower-{FORMAT}|{self.modality}|{design}|{base.key}|{module_digest(module)}"
        self.key = hashlib.sha256(identity.encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        module: Any = settled(self.module, device)
        encode = module.encode_image if self.modality == "image" else module.encode_text
        with torch.no_grad():
            vectors: Tensor = encode(tensor_of(items, device))
        return vectors


def frozen_towers(student: Student, design: str) -> Towers:
    """Turns a trained student into a teacher: its encoders become the bases of two towers that use its module."""
    module: Any = student.module
    return Towers(
        image=Tower(module, student.images, design),
        text=Tower(module, student.texts, design),
        logit_scale=min(float(module.logit_scale.detach().exp()), MAX_SCALE),
    )


def settled(module: Any, device: str) -> Any:
    """The module on `device`, in eval mode and without gradients, also after `train()` was called on it."""
    return module.requires_grad_(False).eval().to(device)


def tensor_of(items: Any, device: str) -> Tensor:
    """Copies an array or tensor to `device`; the core's arrays are read-only memory maps."""
    import numpy as np
    import torch

    tensor = items if isinstance(items, torch.Tensor) else torch.from_numpy(np.array(items))
    return tensor.to(device)
