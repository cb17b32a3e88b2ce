"""What an open_clip student reads: uint8 pixels at its own size, and tokens. Both are computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality

if TYPE_CHECKING:
    from torch import Tensor


class Pixels:
    """uint8 [B, S, S, 3] to uint8 [B, H, W, 3] by PIL's bicubic resize, which smooths when it shrinks."""

    modality: Modality = "image"
    base: Encoder | None = None

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.key = f"pixels-1 {height}x{width} bicubic"

    def encode(self, items: Any, device: str) -> Tensor:  # noqa: ARG002  pixels stay where the cache writes them
        import numpy as np
        import torch
        from PIL import Image

        size = (self.width, self.height)
        resized = [np.asarray(Image.fromarray(np.asarray(item)).resize(size, Image.Resampling.BICUBIC)) for item in items]
        return torch.from_numpy(np.stack(resized))


class Tokens:
    """Captions to int32 [B, context]; what is longer is cut off at the context, as open_clip's tokenizers do."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, tokenize: Callable[[list[str]], Tensor], key: str) -> None:
        self._tokenize = tokenize
        self.key = f"tokens-1 {key}"

    def encode(self, items: Sequence[str], device: str) -> Tensor:  # noqa: ARG002
        return self._tokenize(list(items)).int()
