"""Inputs of a student's towers: resized pixels and tokens, both stored as integers and computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality
from kdbench_plugins.tokens import identity_of

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class Resized:
    """Resizes uint8 [B, S, S, 3] to uint8 [B, height, width, 3] with Pillow's antialiased filters."""

    modality: Modality = "image"
    base: Encoder | None = None

    def __init__(self, height: int, width: int, interpolation: str) -> None:
        self.height, self.width = height, width
        self.interpolation = "bilinear" if interpolation == "bilinear" else "bicubic"
        self.key = f"resized-{FORMAT}|pillow|{self.interpolation}|{height}x{width}"

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np
        import torch
        from PIL import Image

        method = Image.Resampling[self.interpolation.upper()]
        pixels = np.empty((len(items), self.height, self.width, 3), dtype=np.uint8)
        for index, item in enumerate(items):
            # Pillow returns a picture that already has the size unchanged.
            pixels[index] = np.asarray(Image.fromarray(np.asarray(item)).resize((self.width, self.height), method))
        return torch.from_numpy(pixels).to(device)


class Tokens:
    """Tokenises captions to int32 [B, context_length]; longer captions are truncated but keep their end token."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.key = f"tokens-{FORMAT}|{identity_of(tokenizer)}"

    def encode(self, items: Any, device: str) -> Tensor:
        tokens: Tensor = self.tokenizer(list(items))
        return tokens.int().to(device)
