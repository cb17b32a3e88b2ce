"""The last layers of two frozen towers that ask each other through prompts. Imports torch: import it where it is built."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from kdbench import Modality
from kdbench_plugins.teachers.hidden_states import last_layers, tower_of

SPREAD = 0.02  # of initial prompts


class PromptedTower(nn.Module):
    """The last layers of a tower and its last norm, frozen, with prompts [count, width] for each layer.

    In each layer, outputs at query prompts, mapped to the other tower's width by a layer of `bottleneck`, are what this tower
    tells the other one. Words of a text attend to the words before them and to all prompts, prompts to everything.
    """

    def __init__(
        self, clip: Any, modality: Modality, layers: int, counts: tuple[int, int, int], other: int, bottleneck: int
    ) -> None:
        """`counts` are the numbers of query, query context and fusion context prompts; `other` is the other tower's width."""
        super().__init__()
        tower = tower_of(clip, modality)
        blocks = last_layers(clip, modality, layers)
        self.frozen = nn.ModuleList(deepcopy(blocks)).requires_grad_(False)
        self.norm = deepcopy(tower.ln_post if modality == "image" else tower.ln_final).requires_grad_(False)
        self.causal = modality == "text" and tower.attn_mask is not None
        width = blocks[0].attn.embed_dim
        self.query, self.context, self.fusion = (
            nn.ParameterList(SPREAD * torch.randn(count, width) for _ in blocks) for count in counts
        )
        self.told = nn.ModuleList(
            nn.Sequential(nn.Linear(width, bottleneck), nn.ReLU(), nn.Linear(bottleneck, other)) for _ in blocks
        )

    def train(self, mode: bool = True) -> PromptedTower:
        """What is frozen stays in eval mode."""
        super().train(mode)
        self.frozen.eval()
        self.norm.eval()
        return self

    def tell(self, layer: int, tokens: Tensor, words: Tensor | None) -> Tensor:
        """What a layer tells the other tower of tokens [B, L, width]: [B, query prompts, the other's width]."""
        prompts = torch.cat([self.context[layer], self.query[layer]]).expand(len(tokens), -1, -1)
        found: Tensor = self.told[layer](self.through(layer, tokens, prompts, words)[:, -len(self.query[layer]) :])
        return found

    def fuse(self, layer: int, tokens: Tensor, words: Tensor | None, heard: Tensor) -> Tensor:
        """The tokens after a layer that also sees what the other tower has told, [B, prompts, width]."""
        prompts = torch.cat([self.fusion[layer].expand(len(tokens), -1, -1), heard], dim=1)
        return self.through(layer, tokens, prompts, words)[:, : tokens.shape[1]]

    def through(self, layer: int, tokens: Tensor, prompts: Tensor, words: Tensor | None) -> Tensor:
        """A layer's outputs for tokens followed by prompts; `words` [B, L] are those that may be seen, None if all are."""
        block: Any = self.frozen[layer]
        mask = None if words is None else self._mask(words, prompts.shape[1]).repeat_interleave(block.attn.num_heads, dim=0)
        found: Tensor = block(torch.cat([tokens, prompts], dim=1), attn_mask=mask)
        return found

    def _mask(self, words: Tensor, prompts: int) -> Tensor:
        """What is added to the attention of each position to each, [B, L + prompts, L + prompts]: 0 or −∞."""
        batch, length = words.shape
        seen = torch.cat([words, words.new_ones(batch, prompts)], dim=1)[:, None].repeat(1, length + prompts, 1)
        if self.causal:
            seen[:, :length, :length] &= words.new_ones(length, length).tril()
        return torch.zeros(seen.shape, device=words.device).masked_fill(~seen, float("-inf"))


class PromptedTowers(nn.Module):
    """Maps hidden states of images [B, L, w] and of texts [B, M, w'], zeros after their ends, to h [B, w + w'].

    h holds what both towers make of the pair in their last layers: the normed class token and the normed end of the text.
    """

    def __init__(self, clip: Any, layers: int, counts: tuple[int, int, int], bottleneck: int | None) -> None:
        """`bottleneck` is by default half the width of the wider tower."""
        super().__init__()
        sides: tuple[Modality, Modality] = ("image", "text")
        widths = [last_layers(clip, side, layers)[0].attn.embed_dim for side in sides]
        inner = bottleneck or max(widths) // 2
        self.width, self.layers = sum(widths), layers
        self.image, self.text = (
            PromptedTower(clip, side, layers, counts, other, inner) for side, other in zip(sides, widths[::-1], strict=True)
        )

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        words = texts.abs().sum(dim=2) > 0
        for layer in range(self.layers):
            to_text, to_image = self.image.tell(layer, images, None), self.text.tell(layer, texts, words)
            images, texts = self.image.fuse(layer, images, None, to_image), self.text.fuse(layer, texts, words, to_text)
        end = words.sum(dim=1).sub(1).clamp(min=0)
        last = texts[torch.arange(len(texts), device=texts.device), end]
        return torch.cat([self.image.norm(images[:, 0]), self.text.norm(last)], dim=1)
