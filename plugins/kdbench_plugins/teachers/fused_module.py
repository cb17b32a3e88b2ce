"""The part of a fused teacher that is trained. Imports torch: import it where it is built."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from kdbench import Batch
from kdbench_plugins.students.fusion_network import hard_negatives


class FusedModule(nn.Module):
    """v̂ = norm(v + P_v h), û = norm(u + P_u h) of a dual-stream teacher's v and u, and h of a fusion module of both of a pair.

    While it trains it reads v, and u, beside flattened token features, [B, d + tokens·width]. h learns to tell true pairs from
    hard negatives; the projections P, zero at first, by the contrastive loss of v̂ and û. Neither gradient reaches the other.
    """

    logit_scale: Tensor

    def __init__(self, fusion: Any, width: int, shapes: Sequence[tuple[int, ...]], logit_scale: float) -> None:
        """`fusion` gives h [B, fusion.width]; `width` is d. `shapes` are an image's and a text's tokens, [count, width]."""
        super().__init__()
        self.fusion, self.width, self.shapes = fusion, width, list(shapes)
        self.score = nn.Linear(fusion.width, 1)
        self.image_projection = nn.Linear(fusion.width, width, bias=False)
        self.text_projection = nn.Linear(fusion.width, width, bias=False)
        nn.init.zeros_(self.image_projection.weight)
        nn.init.zeros_(self.text_projection.weight)
        self.register_buffer("logit_scale", torch.tensor(logit_scale).log())

    def encode_image(self, images: Tensor) -> Tensor:
        """The dual-stream teacher's own embeddings: without a text there is nothing to fuse."""
        return normalize(images[:, : self.width].float(), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(texts[:, : self.width].float(), dim=1)

    def tokens(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """The token features, [B, count, width] each, of what it reads while it trains."""
        first, second = (
            inputs[:, -prod(shape) :].float().reshape(len(inputs), *shape)
            for inputs, shape in zip((images, texts), self.shapes, strict=True)
        )
        return first, second

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """P_v h and P_u h of the token features of B pairs, [B, d] each."""
        hidden = self.fusion(images, texts).detach()
        return self.image_projection(hidden), self.text_projection(hidden)

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        image, text = self.changes(*self.tokens(images, texts))
        v, u = self.encode_image(images), self.encode_text(texts)
        return normalize(v + image, dim=1), normalize(u + text, dim=1), images.float(), texts.float()

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        """Binary cross-entropy of matching: true pairs, and for each image and each text a hard negative (ALBEF)."""
        read = views[2].detach(), views[3].detach()
        scores = self.logit_scale.exp() * self.encode_image(read[0]) @ self.encode_text(read[1]).T
        images, other_texts = hard_negatives(scores, batch.same)
        texts, other_images = hard_negatives(scores.T, batch.same)
        true = torch.arange(len(scores), device=scores.device)
        rows, columns = torch.cat([true, images, other_images]), torch.cat([true, other_texts, texts])
        x, y = self.tokens(*read)
        logits = self.score(self.fusion(x[rows], y[columns]))[:, 0]
        return binary_cross_entropy_with_logits(logits, (torch.arange(len(rows), device=x.device) < len(true)).to(logits))
