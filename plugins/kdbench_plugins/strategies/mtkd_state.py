"""The state and the reward of `mtkd_rl`'s agent. T teachers, B samples. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor

from kdbench import Signal


def divergences(signal: Signal) -> Tensor:
    """KL divergence of each teacher's in-batch distribution from the student's, [B, T]. Finite also for zero probabilities."""
    teachers, student = signal.teacher_probs, signal.student_probs
    tiny = torch.finfo(student.dtype).tiny
    return (teachers * (teachers.clamp_min(tiny).log() - student.clamp_min(tiny).log())).sum(dim=2).T


def own_pair_first(probs: Tensor) -> Tensor:
    """Probability rows [T, B, B]: the sample's own pair first, the others in descending order.

    Batches are shuffled, so the original columns have no meaning.
    """
    own = torch.eye(probs.shape[2], dtype=torch.bool, device=probs.device)
    rows = probs.masked_fill(own, 2.0).sort(dim=2, descending=True).values  # no probability is as large
    rows[:, :, 0] = probs.diagonal(dim1=1, dim2=2)
    return rows


def states_of(signal: Signal, cosines: Tensor, divergences: Tensor) -> Tensor:
    """[B, Σ_t (3 + 2 d_t + B)]: cosine, KL, CE, both embeddings and probability row of each teacher, concatenated."""
    rows = own_pair_first(signal.teacher_probs)
    losses = signal.truth_losses.T
    parts: list[Tensor] = []
    for position, embeddings in enumerate(signal.teacher_embeddings):
        column = slice(position, position + 1)
        parts += [cosines[:, column], divergences[:, column], losses[:, column], *embeddings, rows[position]]
    return torch.cat([part.float() for part in parts], dim=1)


def given_weights(truth_losses: Tensor, divergences: Tensor) -> Tensor:
    """(1 − σ(CE))/(T−1) + σ(KL), [B, T], σ over teachers; sums to 2. Less for a high CE, more for a high KL."""
    return (1 - truth_losses.softmax(dim=1)) / (truth_losses.shape[1] - 1) + divergences.softmax(dim=1)


def rewards_of(losses: Tensor) -> Tensor:
    """−losses [B], z-scored over the batch and clamped to [0, 1]; zero if all are equal or one is not finite."""
    centred = losses.mean() - losses
    spread = (centred.square().sum() / max(1, len(losses) - 1)).sqrt()
    differ = spread > 4 * torch.finfo(losses.dtype).eps * losses.abs().max()  # by more than rounding; not if one is NaN
    return torch.where(differ, (centred / spread).clamp(0, 1), 0.0)


def agent_loss(head: Tensor, given: Tensor, rewards: Tensor) -> Tensor:
    """The mean of −r·log w over samples and teachers for w = (head + given)/3; the gradient flows through the head."""
    weights = (head + given) / 3
    return -(rewards[:, None] * weights.clamp_min(torch.finfo(weights.dtype).tiny).log()).mean()
