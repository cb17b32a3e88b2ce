"""One training step: however many teachers speak, one backward goes through the student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from kdbench.contracts import Pairs, Strategy
from kdbench.errors import PluginError
from kdbench.losses import pair_losses
from kdbench.signal import StepSignal
from kdbench.team import Team


@dataclass(frozen=True)
class StepResult:
    """Detached values of a step: the task loss, the whole loss, and the teachers' mean weights [T]."""

    task: Tensor
    loss: Tensor
    weights: Tensor | None


def backward(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    same: Tensor,
    team: Team | None,
    teachers: Sequence[Pairs],
    strategy: Strategy | None,
    distill: float,
    progress: float,
    generator: Generator,
) -> StepResult:
    """Adds the gradients of L_task + λ·Σ_t w_t ℓ_t to the student's and the heads' parameters.

    `image` and `text` [B, d] are the student's embeddings with their graph, `scale` its exponentiated logit scale. The
    loss is built on detached copies of the embeddings, where strategies take their gradients too; what has gathered
    there is then sent through the student once.
    """
    copies = [embedding.detach().float().requires_grad_() for embedding in (image, text)]
    student = Pairs(copies[0], copies[1], scale)
    task = pair_losses(student, same).mean()
    loss, weights = task, None
    if team is not None:
        losses = team.losses(student, teachers)
        if strategy is None:
            weights = losses.new_ones(1)
        else:
            signal = StepSignal(losses, student, teachers, team.names, same, progress, generator)
            weights = checked(strategy.weigh(signal).detach().to(losses), losses, strategy)
        loss = task + distill * (_per_sample(weights) * losses).sum(dim=0).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    roots = [(e, copy) for e, copy in zip((image, text), copies, strict=True) if e.requires_grad]  # a frozen tower has none
    torch.autograd.backward([e for e, _ in roots], [copy.grad.to(e.dtype) for e, copy in roots if copy.grad is not None])
    means = None if weights is None else _per_sample(weights).mean(dim=1)
    return StepResult(task.detach(), loss.detach(), means)


def checked(weights: Tensor, losses: Tensor, strategy: Strategy) -> Tensor:
    """The weights, if they are weights: [T] or [T, B], not negative, summing to one over the teachers.

    A sum other than one would act as a hidden learning rate. Raises PluginError with what was found.
    """
    name = type(strategy).__name__
    teachers, batch = losses.shape
    if tuple(weights.shape) not in ((teachers,), (teachers, batch)):
        raise PluginError(f"{name}.weigh: found shape {list(weights.shape)}, expected [{teachers}] or [{teachers}, {batch}]")
    if not torch.isfinite(losses).all():
        return weights  # the run has diverged and says so; the weights of such losses mean nothing
    if not torch.isfinite(weights).all() or (weights < -1e-6).any():
        raise PluginError(f"{name}.weigh: found {_brief(weights)}, expected finite weights that are not negative")
    off = (_per_sample(weights).sum(dim=0) - 1).abs() > 1e-3
    if off.any():
        found = _brief(weights, int(off.nonzero()[0]))
        raise PluginError(f"{name}.weigh: found {found}, expected a sum of 1 over teachers; divide by the sum")
    return weights


def _per_sample(weights: Tensor) -> Tensor:
    return weights[:, None] if weights.dim() == 1 else weights


def _brief(weights: Tensor, sample: int = 0) -> list[float]:
    column = weights if weights.dim() == 1 else weights[:, sample]
    return [round(value, 4) for value in column.tolist()]
