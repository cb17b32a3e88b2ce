"""What a fusion module reads: features of a frozen backbone's positions or words, beside a teacher's embedding of the item."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, KdbenchError, Modality
from kdbench.contracts.encoder import reads_ids, reads_originals
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


class Beside:
    """Encodes items to a teacher's embedding followed by the flattened token features, [B, d + tokens·width].

    Raises KdbenchError if the teacher's tower reads something else than the backbone: ids, or pictures of another kind.
    """

    base: Encoder | None = None

    def __init__(self, tower: Encoder, tokens: ImageTokens | TextTokens) -> None:
        self.tower, self.tokens = tower, tokens
        self.modality: Modality = tokens.modality
        if reads_ids(tower) or reads_originals(tower) != reads_originals(tokens):
            raise KdbenchError(
                f"found a teacher whose {self.modality} tower reads ids or resized pictures; expected one that reads what the "
                "backbone reads, such as backbones"
            )
        self.originals = reads_originals(tokens)
        self.side = getattr(tokens, "side", 0)
        self.key = hashlib.sha256(f"beside-{FORMAT}|{tower.key}|{tokens.key}".encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        own = through(self.tower, items, device)
        return torch.cat([own.float(), self.tokens.encode(items, device).flatten(1).float()], dim=1)


def through(encoder: Encoder, items: Any, device: str) -> Tensor:
    """An encoder's outputs for items, computed through its chain of bases."""
    return encoder.encode(items if encoder.base is None else through(encoder.base, items, device), device)
