"""Merges models that were trained from the same weights: mean, task arithmetic, TIES. Imports torch.

Task arithmetic: Ilharco et al., ICLR 2023, arXiv 2212.04089. TIES: Yadav et al., NeurIPS 2023, arXiv 2306.01708. The mean is
that of model soups, Wortsman et al., ICML 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

State = Mapping[str, Tensor]
SCALES = {"mean": 1.0, "task_arithmetic": 0.3, "ties": 1.0}  # λ that the papers take without tuning


def merged(start: State, ends: Sequence[State], trained: Sequence[str], method: str, scale: float, keep: float) -> State:
    """θ₀ + scale·τ of the tensors named in `trained`, τ merged from the task vectors τ_t = θ_t − θ₀; means of all else.

    `mean`: τ is the mean of the τ_t. `task_arithmetic`: their sum. `ties`: of each τ_t, the share `keep` of largest magnitude
    over all tensors together is kept; each entry's sign is that of the sum; τ is the mean over those of this sign.
    """
    vectors = torch.stack([torch.cat([(end[name] - start[name]).double().flatten() for name in trained]) for end in ends])
    vector = {"mean": _mean, "task_arithmetic": _sum, "ties": _ties}[method](vectors, keep)
    pieces = torch.split(vector, [start[name].numel() for name in trained])
    found = {name: _mean_of([end[name] for end in ends]) for name in start}
    for name, piece in zip(trained, pieces, strict=True):
        found[name] = (start[name].double() + scale * piece.view_as(start[name])).to(start[name].dtype)
    return found


def _mean(vectors: Tensor, _: float) -> Tensor:
    return vectors.mean(dim=0)


def _sum(vectors: Tensor, _: float) -> Tensor:
    return vectors.sum(dim=0)


def _ties(vectors: Tensor, keep: float) -> Tensor:
    kept = max(1, round(keep * vectors.shape[1]))
    least = vectors.abs().topk(kept, dim=1).values[:, -1:]
    trimmed = torch.where(vectors.abs() >= least, vectors, 0.0)
    agree = trimmed.sign() == trimmed.sum(dim=0).sign()
    agree &= trimmed != 0
    return (trimmed * agree).sum(dim=0) / agree.sum(dim=0).clamp(min=1)


def _mean_of(values: Sequence[Tensor]) -> Tensor:
    """The mean of buffers and frozen weights; the first of numbers that are counts."""
    first = values[0]
    if not first.is_floating_point() or all(value.equal(first) for value in values):
        return first
    return torch.stack([value.double() for value in values]).mean(dim=0).to(first.dtype)
