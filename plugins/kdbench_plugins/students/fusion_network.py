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
    """Maps token features of images [B, L, w] and texts [B, M, w'] to logits [B] that image and text match.

    x and y are the LayerNorms of linear maps of the tokens to a common width. a = mean(x + attention(x over y)), b = mean(y +
    attention(y over x)), the means over tokens, for texts over words only. g = σ(W[a; b]); the logit is a linear function of
    g ⊙ a + (1 − g) ⊙ b.
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
        """Logits [B] of projected tokens x [B, L, width] and y [B, M, width]; `words` [B, M] is false for padding."""
        a = (x + self.image_to_text(x, y, y, key_padding_mask=~words, need_weights=False)[0]).mean(dim=1)
        seen = y + self.text_to_image(y, x, x, need_weights=False)[0]
        b = (seen * words[..., None]).sum(dim=1) / words.sum(dim=1, keepdim=True)
        gate = self.gate(torch.cat([a, b], dim=1)).sigmoid()
        score: Tensor = self.score(gate * a + (1 - gate) * b)
        return score[:, 0]


class FusionModule(nn.Module):
    """A student's module with a fusion network, whose matching loss is added to the task loss.

    The loss is `weight` times the mean binary cross-entropy of the B true pairs, of each image with a text of another
    concept, and of each text with an image of another concept. A batch with a single concept has true pairs only.
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

    @property
    def logit_bias(self) -> Tensor | None:
        bias: Tensor | None = getattr(self.student, "logit_bias", None)
        return bias

    def encode_image(self, images: Tensor) -> Tensor:
        vectors: Tensor = self.student.encode_image(images)
        return vectors

    def encode_text(self, texts: Tensor) -> Tensor:
        vectors: Tensor = self.student.encode_text(texts)
        return vectors

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        """Both embeddings, both towers' tokens, and the mask of words as ones and zeros."""
        image, image_tokens = self.student.encode_image_tokens(images)
        text, text_tokens, words = self.student.encode_text_tokens(texts)
        words = words | ~words.any(dim=1, keepdim=True)  # attention needs a key: in an empty text all tokens are words
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
    """Row indices of `scores` [B, B] that have a column of another concept, and one such column for each, both [R].

    The column is drawn with a probability proportional to the exponential of its score, from torch's global generator.
    """
    rows = (~same).any(dim=1).nonzero()[:, 0]
    odds = scores[rows].masked_fill(same[rows], -math.inf).softmax(dim=1)
    # A race of exponential clocks has this distribution. torch.multinomial would raise for scores that are not finite, before
    # the loop can report the loss as diverged.
    return rows, (odds / torch.empty_like(odds).exponential_()).argmax(dim=1)
