"""Inputs of a student's towers: resized pixels and tokens, both stored as integers and computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kdbench import Encoder, Modality
from kdbench_plugins.tokens import cut_by, identity_of

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class Resized:
    """Resizes pictures, uint8 [H, W, 3], to uint8 [B, height, width, 3] with Pillow's antialiased filters.

    They are resized, cropped and padded as open_clip does it with `resize_mode` (`shortest`, `longest` or `squash`) and
    `fill_color`: an exported student then reads a picture as it did in training.
    """

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True

    def __init__(self, height: int, width: int, interpolation: str, resize_mode: str = "squash", fill_color: int = 0) -> None:
        self.height, self.width = height, width
        self.interpolation = "bilinear" if interpolation == "bilinear" else "bicubic"
        self.resize_mode, self.fill_color = resize_mode, fill_color
        how = "" if resize_mode == "squash" else f"{resize_mode}|{fill_color}|"
        self.key = f"resized-{FORMAT}|pillow|{how}{self.interpolation}|{height}x{width}"

    @cached_property
    def _own(self) -> Any:
        """open_clip's preprocessing up to the pixels, before they become a tensor and are normalised."""
        from open_clip.transform import PreprocessCfg, image_transform_v2

        size, mode = (self.height, self.width), self.resize_mode
        found = PreprocessCfg(size, interpolation=self.interpolation, resize_mode=mode, fill_color=self.fill_color)
        transform = image_transform_v2(found, is_train=False)
        return type(transform)(transform.transforms[:-2])

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np
        import torch
        from PIL import Image

        pixels = np.empty((len(items), self.height, self.width, 3), dtype=np.uint8)
        for index, item in enumerate(items):
            pixels[index] = np.asarray(self._own(Image.fromarray(np.asarray(item))))
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

    def cut(self, captions: Sequence[str]) -> tuple[Any, Any]:
        """Which captions are longer than the context, and the tokens left of them."""
        return cut_by(self.tokenizer, captions)
