"""A single-stream model of token features. Imports torch: import it where it is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SingleStream(nn.Module):
    """A transformer over a class token, image tokens [B, L, w] and text tokens [B, M, w'] together; returns h [B, width].

    Text tokens of zeros are padding.
    """

    def __init__(self, image_width: int, text_width: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.image = nn.Sequential(nn.Linear(image_width, width), nn.LayerNorm(width))
        self.text = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width))
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.kinds = nn.Parameter(0.02 * torch.randn(2, width))  # added to image and to text tokens
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        x, y = self.image(images) + self.kinds[0], self.text(texts) + self.kinds[1]
        tokens = torch.cat([self.first.expand(len(x), 1, -1), x, y], dim=1)
        seen = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        seen[:, -y.shape[1] :] = texts.abs().sum(dim=2) > 0
        found: Tensor = self.layers(tokens, src_key_padding_mask=~seen)[:, 0]
        return found
