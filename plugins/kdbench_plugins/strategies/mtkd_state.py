"""What `mtkd_rl` shows its agent, and what it rewards it for. T teachers, B samples. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor

from kdbench import Signal


def divergences(signal: Signal) -> Tensor:
    """KL of each teacher's in-batch distribution from the student's, [B, T]. Finite: no logarithm of zero is taken."""
    teachers, student = signal.teacher_probs, signal.student_probs
    tiny = torch.finfo(student.dtype).tiny
    return (teachers * (teachers.clamp_min(tiny).log() - student.clamp_min(tiny).log())).sum(dim=2).T


def own_pair_first(probs: Tensor) -> Tensor:
    """Rows [T, B, B], each with the probability of the sample's own pair in front and the others falling after it.

    Batches are shuffled, so a column as it comes means nothing.
    """
    own = torch.eye(probs.shape[2], dtype=torch.bool, device=probs.device)
    rows = probs.masked_fill(own, 2.0).sort(dim=2, descending=True).values  # no probability is as large
    rows[:, :, 0] = probs.diagonal(dim1=1, dim2=2)
    return rows


def states_of(signal: Signal, cosines: Tensor, divergences: Tensor) -> Tensor:
    """[B, Σ_t (3 + 2 d_t + B)]: of every teacher cosine, KL, CE, both embeddings, probability row, one after another."""
    rows = own_pair_first(signal.teacher_probs)
    losses = signal.truth_losses.T
    parts: list[Tensor] = []
    for place, embeddings in enumerate(signal.teacher_embeddings):
        column = slice(place, place + 1)
        parts += [cosines[:, column], divergences[:, column], losses[:, column], *embeddings, rows[place]]
    return torch.cat([part.float() for part in parts], dim=1)


def given_weights(truth_losses: Tensor, divergences: Tensor) -> Tensor:
    """(1 − σ(CE))/(T−1) + σ(KL), [B, T], σ over teachers: twice a simplex, less for the unsure, more for the unlike."""
    return (1 - truth_losses.softmax(dim=1)) / (truth_losses.shape[1] - 1) + divergences.softmax(dim=1)


def rewards_of(losses: Tensor) -> Tensor:
    """−losses [B], z-scored over the batch and clamped to [0, 1]; zero where all are equal or one is not finite."""
    centred = losses.mean() - losses
    spread = (centred.square().sum() / max(1, len(losses) - 1)).sqrt()
    differ = spread > 4 * torch.finfo(losses.dtype).eps * losses.abs().max()  # by more than rounding; not if one is NaN
    return torch.where(differ, (centred / spread).clamp(0, 1), 0.0)


def agent_loss(head: Tensor, given: Tensor, rewards: Tensor) -> Tensor:
    """−r·log w, its mean over samples and teachers, for w = (head + given)/3; the gradient flows through the head."""
    weights = (head + given) / 3
    return -(rewards[:, None] * weights.clamp_min(torch.finfo(weights.dtype).tiny).log()).mean()
