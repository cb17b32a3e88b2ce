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
        # Channels-last is faster for convolutions on CPUs and tensor cores, and the layout of permuted NHWC pixels.
        clip.visual.to(memory_format=torch.channels_last)
        self.clip = clip
        # (x/255 − mean)/std as one multiplication and one addition; not part of the state, because it is not learned.
        deviation = torch.tensor(std).view(1, -1, 1, 1)
        self.register_buffer("scale", 1 / (255 * deviation), persistent=False)
        self.register_buffer("shift", -torch.tensor(mean).view(1, -1, 1, 1) / deviation, persistent=False)

    @property
    def logit_scale(self) -> Tensor:
        """open_clip's parameter, the logarithm of the scale."""
        scale: Tensor = self.clip.logit_scale
        return scale

    @property
    def logit_bias(self) -> Tensor | None:
        """open_clip's parameter, if the config has an `init_logit_bias`."""
        bias: Tensor | None = getattr(self.clip, "logit_bias", None)
        return bias

    def encode_image(self, images: Tensor) -> Tensor:
        """Encodes pixels, uint8 [B, height, width, 3], to unit vectors [B, d]."""
        vectors: Tensor = self.clip.encode_image(self._pixels(images), normalize=True)
        return vectors

    def encode_text(self, texts: Tensor) -> Tensor:
        """Encodes tokens, int32 [B, context], to unit vectors [B, d]."""
        vectors: Tensor = self.clip.encode_text(texts.long(), normalize=True)
        return vectors

    def encode_image_tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The result of `encode_image` and, from the same forward pass, the tower's last feature map, [B, positions, width]."""
        found = self.clip.forward_intermediates(image=self._pixels(images), image_indices=1, normalize_intermediates=True)
        # As a map, [B, width, rows, columns], the one format that all towers of open_clip and timm support.
        return found["image_features"], found["image_intermediates"][-1].flatten(2).transpose(1, 2)

    def encode_text_tokens(self, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The result of `encode_text` and, from the same forward pass, the features of all tokens, [B, context, width], and a
        mask of words, [B, context]: tokens up to the end token, or all but padding for a tower without an end token."""
        texts = texts.long()
        found = self.clip.forward_intermediates(text=texts, text_indices=1, normalize_intermediates=True)
        return found["text_features"], found["text_intermediates"][-1], self._words(texts)

    def _pixels(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float() * self.scale + self.shift

    def _words(self, texts: Tensor) -> Tensor:
        tower: Any = getattr(self.clip, "text", None)  # open_clip's plain CLIP class has no text tower of its own
        pool = self.clip.text_pool_type if tower is None else tower.pool_type
        if pool not in ("argmax", "eos"):
            return texts != getattr(tower, "pad_id", 0)
        end = self.clip.text_eos_id if tower is None else tower.eos_id
        last = texts.argmax(dim=1) if pool == "argmax" else (texts == end).int().argmax(dim=1)
        return torch.arange(texts.shape[1], device=texts.device) <= last[:, None]
