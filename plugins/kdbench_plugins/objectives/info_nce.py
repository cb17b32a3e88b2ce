"""InfoNCE (van den Oord et al. 2018) of given logits, with a target uniform over the positives of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def info_nce(logits: Tensor, positives: Tensor) -> Tensor:
    """Cross-entropy of each query, [B], for logits [B, K] and `positives` [B, K], at least one in each row.

    At least ln P for a query with P positives.
    """
    return -(logits.log_softmax(dim=1) * positives).sum(dim=1) / positives.sum(dim=1)
