"""Attention weights of a layer, computed again from what it has read: fused kernels do not return them.

The layer's own computation stays as it is; the weights cost one more softmax, and carry a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def of_torch(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """[B, heads, L, L] of a torch.nn.MultiheadAttention that reads one sequence, without its dropout."""
    from torch.nn.functional import linear

    tokens = args[0] if part.batch_first else args[0].transpose(0, 1)
    both = 2 * part.embed_dim  # queries and keys; values are not needed
    bias = None if part.in_proj_bias is None else part.in_proj_bias[:both]
    samples, length, _ = tokens.shape
    found = linear(tokens, part.in_proj_weight[:both], bias).view(samples, length, 2, part.num_heads, -1)
    query, key = found.unbind(2)
    return weights(query.transpose(1, 2), key.transpose(1, 2), part.head_dim**-0.5, kwargs.get("attn_mask"))


def of_timm(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """[B, heads, L, L] of timm's Attention, without its dropout."""
    found = part.qkv(args[0]).unflatten(-1, (3, part.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return weights(part.q_norm(found[0]), part.k_norm(found[1]), part.scale, kwargs.get("attn_mask"))


def weights(query: Tensor, key: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """σ(scale·q kᵀ + mask) of queries and keys [B, heads, L, d]; a mask of booleans says what is read."""
    logits = scale * query @ key.transpose(-2, -1)
    if mask is not None and not mask.is_floating_point():
        logits = logits.masked_fill(~mask, float("-inf"))
    elif mask is not None:
        logits = logits + mask
    return logits.softmax(dim=-1)
