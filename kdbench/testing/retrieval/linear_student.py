"""The smallest student of retrieval: linear towers over pixels and over letter counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench.contracts import Encoder, Modality, StudentModule

LETTERS = 26


class _Pixels:
    """Every fourth row and column of images, uint8."""

    modality: Modality = "image"
    base: Encoder | None = None
    key = "kdbench.testing pixels 1"

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(items[:, ::4, ::4])).to(device)


class _Letters:
    """Counts of each letter in a caption, [B, 26]."""

    modality: Modality = "text"
    base: Encoder | None = None
    key = "kdbench.testing letters 1"

    def encode(self, items: Any, device: str) -> Tensor:
        counts = [[caption.lower().count(chr(ord("a") + letter)) for letter in range(LETTERS)] for caption in items]
        return torch.tensor(counts, dtype=torch.uint8, device=device)


class _LinearTowers(nn.Module):
    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.image_tower, self.text_tower = nn.Linear(pixels, width), nn.Linear(LETTERS, width)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.image_tower((images.float() / 255 - 0.5).flatten(1)), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(self.text_tower(texts.float()), dim=1)


class LinearStudent:
    """Reads images of `size` pixels and returns embeddings of `width`."""

    def __init__(self, *, size: int = 32, width: int = 16) -> None:
        self.width = width
        self.images: Encoder = _Pixels()
        self.texts: Encoder = _Letters()
        self.module: StudentModule = _LinearTowers(3 * (-(-size // 4)) ** 2, width)
