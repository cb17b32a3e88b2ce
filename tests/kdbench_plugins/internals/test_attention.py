"""Attention weights against those that the layers return if they are asked."""

from __future__ import annotations

import torch
from torch import nn

from kdbench_plugins.internals.attention import of_timm, of_torch
from kdbench_plugins.openclip import import_timm

TOKENS = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
CAUSAL = torch.full((5, 5), float("-inf")).triu(1)


def test_they_are_those_of_torch() -> None:
    for batch_first in (True, False):
        torch.manual_seed(0)
        layer = nn.MultiheadAttention(8, 2, batch_first=batch_first)
        given = TOKENS if batch_first else TOKENS.transpose(0, 1)
        for mask in (None, CAUSAL):
            _, expected = layer(given, given, given, attn_mask=mask, average_attn_weights=False)
            torch.testing.assert_close(of_torch(layer, (given, given, given), {"attn_mask": mask}), expected)


def test_they_are_those_of_timm() -> None:
    torch.manual_seed(0)
    layer = import_timm().layers.Attention(8, num_heads=2, qkv_bias=True, qk_norm=True, norm_layer=nn.LayerNorm)
    kept: list[torch.Tensor] = []
    layer.fused_attn = False
    layer.attn_drop.register_forward_hook(lambda _, args, __: kept.append(args[0]))
    layer.eval()(TOKENS)
    torch.testing.assert_close(of_timm(layer, (TOKENS,), {}), kept[0])


def test_a_mask_of_booleans_says_what_is_read() -> None:
    layer = import_timm().layers.Attention(8, num_heads=2)
    found = of_timm(layer, (TOKENS,), {"attn_mask": CAUSAL == 0})
    torch.testing.assert_close(found, of_timm(layer, (TOKENS,), {"attn_mask": CAUSAL}))
