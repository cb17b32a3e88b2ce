"""Two small projections of frozen features into one space. Imports torch: import it where a module is built."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

INITIAL_SCALE = math.log(1 / 0.07)  # CLIP's (Radford et al. 2021, §2.5)


class Projections(nn.Module):
    """Maps image features [B, i] and text features [B, t] to unit vectors [B, width]."""

    logit_scale: Tensor

    def __init__(
        self, image_width: int, text_width: int, width: int, hidden: int, dropout: float, input_dropout: float
    ) -> None:
        super().__init__()
        self.image = projection(image_width, hidden, width, dropout, input_dropout)
        self.text = projection(text_width, hidden, width, dropout, input_dropout)
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_SCALE))

    def encode_image(self, images: Tensor) -> Tensor:
        return normalize(self.image(images.float()), dim=-1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(self.text(texts.float()), dim=-1)


def projection(features: int, hidden: int, width: int, dropout: float, input_dropout: float) -> nn.Module:
    """A perceptron with one hidden layer, or a linear map if `hidden` is 0.

    LayerNorm, because the scale of pooled features differs between backbones; dropout on the features, because there are more
    features than concepts.
    """
    first = [nn.LayerNorm(features), nn.Dropout(input_dropout)]
    if hidden == 0:
        return nn.Sequential(*first, nn.Linear(features, width))
    return nn.Sequential(*first, nn.Linear(features, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width))
