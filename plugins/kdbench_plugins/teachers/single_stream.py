"""A single-stream model of token features and the fused module of a teacher. Imports torch: import it where it is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from kdbench import Batch
from kdbench_plugins.students.fusion_network import hard_negatives


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


class FusedModule(nn.Module):
    """v̂ = norm(v + P_v h), û = norm(u + P_u h) of a dual-stream teacher's v and u, and h of a fusion module of both.

    Inputs [B, d + tokens·width] hold a teacher's embedding and token features. h learns to tell true pairs from hard
    negatives, the projections P, zero at first, by the contrastive loss of v̂ and û; neither gradient reaches the other.
    """

    logit_scale: Tensor

    def __init__(
        self, fusion: nn.Module, hidden: int, width: int, shapes: Sequence[tuple[int, int]], logit_scale: float
    ) -> None:
        """`shapes` are the tokens of an image and of a text, [count, width]; `hidden` is the width of h, `width` is d."""
        super().__init__()
        self.fusion, self.width, self.shapes = fusion, width, list(shapes)
        self.score = nn.Linear(hidden, 1)
        self.image_projection = nn.Linear(hidden, width, bias=False)
        self.text_projection = nn.Linear(hidden, width, bias=False)
        nn.init.zeros_(self.image_projection.weight)
        nn.init.zeros_(self.text_projection.weight)
        self.register_buffer("logit_scale", torch.tensor(logit_scale).log())

    def parts(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embeddings and token features of images, then of texts."""
        found = []
        for inputs, shape in zip((images, texts), self.shapes, strict=True):
            tokens = inputs[:, self.width :].float().reshape(len(inputs), *shape)
            found += [normalize(inputs[:, : self.width].float(), dim=1), tokens]
        return found[0], found[1], found[2], found[3]

    def encode_image(self, images: Tensor) -> Tensor:
        """The dual-stream teacher's own embeddings: without a text there is nothing to fuse."""
        return normalize(images[:, : self.width].float(), dim=1)

    def encode_text(self, texts: Tensor) -> Tensor:
        return normalize(texts[:, : self.width].float(), dim=1)

    def changes(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """P_v h and P_u h of B pairs, [B, d] each."""
        _, x, _, y = self.parts(images, texts)
        hidden = self.fusion(x, y).detach()
        return self.image_projection(hidden), self.text_projection(hidden)

    def encode_views(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        v, _, u, _ = self.parts(images, texts)
        image, text = self.changes(images, texts)
        return normalize(v + image, dim=1), normalize(u + text, dim=1), images.float(), texts.float()

    def auxiliary_loss(self, views: Sequence[Tensor], batch: Batch) -> Tensor:
        """Binary cross-entropy of matching: true pairs, and for each image and each text a hard negative (ALBEF)."""
        v, x, u, y = self.parts(views[2].detach(), views[3].detach())
        scores = self.logit_scale.exp() * v @ u.T
        images, other_texts = hard_negatives(scores, batch.same)
        texts, other_images = hard_negatives(scores.T, batch.same)
        true = torch.arange(len(v), device=v.device)
        rows, columns = torch.cat([true, images, other_images]), torch.cat([true, other_texts, texts])
        logits = self.score(self.fusion(x[rows], y[columns]))[:, 0]
        return binary_cross_entropy_with_logits(logits, (torch.arange(len(rows), device=v.device) < len(true)).to(logits))
