"""An open_clip model as the trainable part of a student. Imports torch: import it where a module is built."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ClipModule(nn.Module):
    """Holds the model as `clip`, untouched, so that open_clip can load its state back."""

    scale: Tensor
    shift: Tensor

    def __init__(self, clip: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        # Channels-last is what convolutions on CPUs and tensor cores prefer, and what permuted NHWC pixels are already.
        clip.visual.to(memory_format=torch.channels_last)
        self.clip = clip
        # (x/255 − mean)/std as one multiplication and one addition; no part of the state, for it is not learned.
        deviation = torch.tensor(std).view(1, -1, 1, 1)
        self.register_buffer("scale", 1 / (255 * deviation), persistent=False)
        self.register_buffer("shift", -torch.tensor(mean).view(1, -1, 1, 1) / deviation, persistent=False)

    @property
    def logit_scale(self) -> Tensor:
        """open_clip's own parameter, the logarithm of the scale."""
        scale: Tensor = self.clip.logit_scale
        return scale

    def encode_image(self, images: Tensor) -> Tensor:
        """uint8 [B, height, width, 3] to unit vectors [B, d]."""
        pixels = images.permute(0, 3, 1, 2).float() * self.scale + self.shift
        vectors: Tensor = self.clip.encode_image(pixels, normalize=True)
        return vectors

    def encode_text(self, texts: Tensor) -> Tensor:
        """Tokens, int32 [B, context], to unit vectors [B, d]."""
        vectors: Tensor = self.clip.encode_text(texts.long(), normalize=True)
        return vectors
