"""The mathematics of RL-KD's teacher selection (Yuan et al., AAAI 2021, arXiv 2012.06048).

A policy over T teachers reads n features of each of B samples: F is [T, B, n]; its parameters are A [T, n] and b [T].
Actions, probabilities and weights are [T, B].
"""

from __future__ import annotations

from math import log

import torch
from torch import Generator, Tensor


def features(embeddings: Tensor, probs: Tensor, truth_losses: Tensor) -> Tensor:
    """F [T, B, 2d + B + 1] from the student's embeddings [2, B, d], probability rows [T, B, B] and cross-entropies [T, B].

    A row holds the probability of the sample's own pair first and the others in descending order: batches are shuffled, so
    the original columns have no meaning that a linear policy could learn. The cross-entropy enters as CE/(CE + log B), which
    is between 0 and 1, and ½ for a uniform guess. CE itself exceeds 20 for a teacher that is confident and wrong; as a step
    moves a logit by the square of a feature, one step could saturate the policy.
    """
    teachers, batch, _ = probs.shape
    student = torch.cat([embeddings[0], embeddings[1]], dim=1).expand(teachers, -1, -1)
    own = probs.diagonal(dim1=1, dim2=2)[:, :, None]
    others = probs[:, ~torch.eye(batch, dtype=torch.bool, device=probs.device)].view(teachers, batch, batch - 1)
    squashed = truth_losses / (truth_losses + max(log(batch), 1e-9))
    return torch.cat([student, own, others.sort(dim=2, descending=True).values, squashed[:, :, None]], dim=2)


def selection_probs(A: Tensor, b: Tensor, F: Tensor) -> Tensor:
    """π(a = 1 | F) = sigmoid(A·F + b) of each teacher and sample, [T, B]; exactly 1 for b = ∞."""
    return torch.sigmoid(torch.einsum("tn,tbn->tb", A, F) + b[:, None])


def drawn(probs: Tensor, generator: Generator) -> Tensor:
    """Independent Bernoulli actions, 0 or 1, [T, B]. `generator` must be on the CPU."""
    return (torch.rand(probs.shape, generator=generator).to(probs.device) < probs).to(probs)


def selection_weights(actions: Tensor) -> Tensor:
    """1/k for the k teachers selected for a sample, 1/T for all if none is, [T, B]. In float64: 1/T then equals Python's."""
    chosen = torch.where(actions.any(dim=0), actions, 1.0).double()
    return chosen / chosen.sum(dim=0)


def selected_losses(losses: Tensor, actions: Tensor) -> Tensor:
    """L_KD of each sample, [B]: the mean of the losses [T, B] over the teachers selected for it, over all if none is."""
    return (selection_weights(actions).to(losses) * losses).sum(dim=0)


def rewards(kind: str, task_loss: float, kd_losses: Tensor, validation: float, gamma: float) -> Tensor:
    """r [B]: r1 = −L_CE, r2 = −L_CE − L_KD, r3 = γ·r2 + (1 − γ)·validation."""
    if kind == "r1":
        return torch.full_like(kd_losses, -task_loss)
    found = -task_loss - kd_losses
    return found if kind == "r2" else gamma * found + (1 - gamma) * validation


def policy_gradient(advantages: Tensor, actions: Tensor, probs: Tensor, F: Tensor) -> tuple[Tensor, Tensor]:
    """REINFORCE's estimate for A [T, n] and b [T]: the mean over the batch of advantage [B] times ∇ log π(a | F).

    log π is a sum over teachers; each term has the gradient (a − π)·F with respect to its row of A and a − π for its b.
    """
    scores = advantages * (actions - probs) / len(advantages)
    return torch.einsum("tb,tbn->tn", scores, F), scores.sum(dim=1)
