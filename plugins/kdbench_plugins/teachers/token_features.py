"""What a fusion module reads: features of a frozen backbone's positions or words."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality
from kdbench_plugins.teachers.frozen_image import FrozenImage
from kdbench_plugins.teachers.frozen_text import FrozenText
from kdbench_plugins.teachers.tower import settled

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class ImageTokens:
    """Encodes pictures to the last feature map of an image backbone, [B, positions, 1280]."""

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True
    width = FrozenImage.width

    def __init__(self, backbone: FrozenImage) -> None:
        self.backbone, self.side = backbone, backbone.side
        self.key = hashlib.sha256(f"image-tokens-{FORMAT}|{backbone.key}".encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        network = settled(self.backbone.network, device)
        with torch.no_grad():
            found: Tensor = network.forward_features(self.backbone.prepare(items, device))
        return found.flatten(2).transpose(1, 2)


class TextTokens:
    """Encodes captions to the features of their first `length` words, [B, length, 384], zeros where there are fewer."""

    modality: Modality = "text"
    base: Encoder | None = None
    width = FrozenText.width

    def __init__(self, backbone: FrozenText, length: int) -> None:
        self.backbone, self.length = backbone, length
        self.key = hashlib.sha256(f"text-tokens-{FORMAT}|{length}|{backbone.key}".encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        network = settled(self.backbone.network, device)
        made = network.encode(list(items), device=device, output_value="token_embeddings", show_progress_bar=False)
        found = torch.zeros(len(made), self.length, self.width, device=device)
        for row, words in zip(found, made, strict=True):
            kept = words[: self.length]
            row[: len(kept)] = kept
        return found
