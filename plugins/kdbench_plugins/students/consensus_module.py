"""The module of the student `consensus_pooling`. Imports torch: import it where a module is built."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench import StudentModule

SHARPNESS = 10.0  # of the attention over concepts, as in CVSE


class Gate(nn.Module):
    """norm(g ⊙ x + (1 − g) ⊙ y), g = σ(W[x; y]), of vectors [B, d] each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        gate = self.mix(torch.cat([x, y], dim=1)).sigmoid()
        return normalize(gate * x + (1 - gate) * y, dim=1)


class AttentionPool(nn.Module):
    """Merges an embedding [B, d] with its tokens [B, L, w], pooled by `heads` self-attentions, into a unit vector [B, d].

    Head h weighs token x_l by softmax_l(w_h · tanh(U x_l)); the heads' means together are mapped to width d. `words` [B, L] is
    false for padding, which has no weight; an input without words has the weights of its padding.
    """

    def __init__(self, token_width: int, hidden: int, heads: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(token_width, hidden, bias=False)
        self.scores = nn.Linear(hidden, heads, bias=False)
        self.out = nn.Linear(heads * token_width, width)
        self.gate = Gate(width)

    def attention(self, tokens: Tensor, words: Tensor | None = None) -> Tensor:
        """The weights of tokens, [B, heads, L], of which each row sums to 1."""
        scores: Tensor = self.scores(self.hidden(tokens).tanh()).transpose(1, 2)
        if words is not None:
            kept = words | ~words.any(dim=1, keepdim=True)
            scores = scores.masked_fill(~kept[:, None], -torch.inf)
        return scores.softmax(dim=2)

    def forward(self, embeddings: Tensor, tokens: Tensor, words: Tensor | None = None) -> Tensor:
        pooled = (self.attention(tokens, words) @ tokens).flatten(1)
        merged: Tensor = self.gate(embeddings, normalize(self.out(pooled), dim=1))
        return merged


class Concepts(nn.Module):
    """Vectors of K concepts, [K, d], by a graph convolution A relu(A W₁) W₂ over their correlations A [K, K].

    A is the identity until it is given; its rows sum to 1.
    """

    correlations: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("correlations", torch.eye(count))
        self.first = nn.Parameter(torch.randn(count, width) * width**-0.5)
        self.second = nn.Linear(width, width, bias=False)

    def forward(self) -> Tensor:
        hidden = (self.correlations @ self.first).relu()
        return normalize(self.correlations @ self.second(hidden), dim=1)


class FixedConcepts(nn.Module):
    """The vectors as they are after the training."""

    vectors: Tensor

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors)

    def forward(self) -> Tensor:
        return self.vectors


class Consensus(nn.Module):
    """Merges a unit vector [B, d] with the mean of the concepts that are like it."""

    def __init__(self, concepts: nn.Module, width: int) -> None:
        super().__init__()
        self.concepts = concepts
        self.gate = Gate(width)

    def forward(self, embeddings: Tensor) -> Tensor:
        vectors: Tensor = self.concepts()
        found = (SHARPNESS * embeddings @ vectors.T).softmax(dim=1) @ vectors
        merged: Tensor = self.gate(embeddings, normalize(found, dim=1))
        return merged


class ConsensusModule(nn.Module):
    """A student's module whose embeddings are merged with pooled token features and, if there are any, with concepts."""

    def __init__(
        self, student: StudentModule, image: AttentionPool, text: AttentionPool, consensus: Consensus | None = None
    ) -> None:
        super().__init__()
        self.student = cast(Any, student)
        self.image, self.text, self.consensus = image, text, consensus

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.student.logit_scale
        return scale

    @property
    def logit_bias(self) -> Tensor | None:
        bias: Tensor | None = getattr(self.student, "logit_bias", None)
        return bias

    def encode_image(self, images: Tensor) -> Tensor:
        return self._merged(self.image(*self.student.encode_image_tokens(images)))

    def encode_text(self, texts: Tensor) -> Tensor:
        return self._merged(self.text(*self.student.encode_text_tokens(texts)))

    def finalized(self) -> ConsensusModule:
        """A copy whose concepts are computed for good, without the graph; the module itself without concepts."""
        if self.consensus is None:
            return self
        copy = deepcopy(self)
        assert copy.consensus is not None
        with torch.no_grad():
            copy.consensus.concepts = FixedConcepts(self.consensus.concepts())
        return copy

    def _merged(self, embeddings: Tensor) -> Tensor:
        return embeddings if self.consensus is None else self.consensus(embeddings)
