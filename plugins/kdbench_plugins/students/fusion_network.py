"""The network of the student `fusion`. Imports torch: import it where a module is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kdbench import Batch, StudentModule


class FusionNetwork(nn.Module):
    """Token features of images [B, L, w] and of texts [B, M, w'] to logits [B] of whether image and text match.

    x = LayerNorm(P w), y = LayerNorm(P' w') of one common width. a = mean(x + attention(x over y)), b = mean(y +
    attention(y over x)), the means over tokens, of texts over their words alone. g = σ(W[a; b]), fused = g ⊙ a + (1 − g) ⊙ b,
    and a linear score of that.
    """

    def __init__(self, image_width: int, text_width: int, width: int, heads: int) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Linear(image_width, width), nn.LayerNorm(width))
        self.text = nn.Sequential(nn.Linear(text_width, width), nn.LayerNorm(width))
        self.image_to_text = nn.MultiheadAttention(width, heads, batch_first=True)
        self.text_to_image = nn.MultiheadAttention(width, heads, batch_first=True)
        self.gate = nn.Linear(2 * width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, images: Tensor, texts: Tensor, words: Tensor) -> Tensor:
        return self.match(self.image(images), self.text(texts), words)

    def match(self, x: Tensor, y: Tensor, words: Tensor) -> Tensor:
        """Logits [B] of projected tokens x [B, L, width] and y [B, M, width]; `words` [B, M] tells texts from padding."""
        a = (x + self.image_to_text(x, y, y, key_padding_mask=~words, need_weights=False)[0]).mean(dim=1)
        seen = y + self.text_to_image(y, x, x, need_weights=False)[0]
        b = (seen * words[..., None]).sum(dim=1) / words.sum(dim=1, keepdim=True)
        gate = self.gate(torch.cat([a, b], dim=1)).sigmoid()
        score: Tensor = self.score(gate * a + (1 - gate) * b)
        return score[:, 0]


class FusionModule(nn.Module):
    """A student's module with a fusion network beside it, whose matching loss is added to the task's.

    The loss is `weight` times the mean binary cross-entropy of the B true pairs, of each image with a text of another
    concept, and of each text with an image of another concept. A batch without other concepts has true pairs alone.
    """

    def __init__(self, student: StudentModule, fusion: FusionNetwork, weight: float) -> None:
        super().__init__()
        self.student = cast(Any, student)
        self.fusion = fusion
        self.weight = weight

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.student.logit_scale
        return scale

    def encode_image(self, images: Tensor) -> Tensor:
        vectors: Tensor = self.student.encode_image(images)
        return vectors

    def encode_text(self, texts: Tensor) -> Tensor:
        vectors: Tensor = self.student.encode_text(texts)
        return vectors

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        """Both embeddings, both towers' tokens, and as ones and zeros which text tokens are words."""
        image, image_tokens = self.student.encode_image_tokens(images)
        text, text_tokens, words = self.student.encode_text_tokens(texts)
        words = words | ~words.any(dim=1, keepdim=True)  # attention needs something to attend to: an empty text is all words
        return image, text, image_tokens, text_tokens, words.float()

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        image, text, image_tokens, text_tokens, words = views
        scores = (self.logit_scale.exp() * image @ text.T).detach()
        images, other_texts = hard_negatives(scores, batch.same)
        texts, other_images = hard_negatives(scores.T, batch.same)
        true = torch.arange(len(image), device=image.device)
        rows, columns = torch.cat([true, images, other_images]), torch.cat([true, other_texts, texts])
        x, y = self.fusion.image(image_tokens), self.fusion.text(text_tokens)
        logits = self.fusion.match(x[rows], y[columns], words.detach()[columns] > 0.5)
        return self.weight * binary_cross_entropy_with_logits(logits, (torch.arange(len(rows)) < len(true)).to(logits))


def hard_negatives(scores: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of `scores` [B, B] that have a column of another concept, and one such column for each, both [R].

    It is drawn with a probability in proportion to the exponential of its score, from torch's global generator.
    """
    rows = (~same).any(dim=1).nonzero()[:, 0]
    odds = scores[rows].masked_fill(same[rows], -math.inf).softmax(dim=1)
    # A race of exponential clocks, whose winner is so distributed. torch.multinomial would raise where scores are not finite,
    # before the loss can be found not to be.
    return rows, (odds / torch.empty_like(odds).exponential_()).argmax(dim=1)
