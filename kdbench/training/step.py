"""One training step: a single backward through the student for any number of teachers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor

from kdbench.contracts import Outputs, Strategy, Task
from kdbench.contracts.border import checked_tensor, refused
from kdbench.contracts.values import Owned
from kdbench.errors import NotFinite
from kdbench.training.borders import checked_auxiliary, weights_of
from kdbench.training.distributed import ALONE, Relay, World
from kdbench.training.internals import internal_tensors
from kdbench.training.readings import AT_ONCE, Readings
from kdbench.training.signal import Graph, StepSignal, moment
from kdbench.training.team import Team

Auxiliary = Callable[[Sequence[Tensor], Owned], Tensor]
Wrap = Callable[[Sequence[Tensor]], Outputs]


@dataclass(frozen=True)
class StepResult:
    """Detached values of a step.

    `task` is the task loss, `loss` the total loss, `weights` are [T], [T, B] or [T, B, B]; `gramian` [T, T], if requested,
    holds inner products of the teachers' gradients at the student's outputs. `strategy_seconds` is the time for the
    weights, without gradients that the step needs anyway; None if it was not measured.
    """

    task: Tensor
    loss: Tensor
    weights: Tensor | None = None
    gramian: Tensor | None = None
    strategy_seconds: float | None = 0.0


@dataclass(frozen=True)
class Teaching:
    """What a step needs for distillation: the team, its outputs for the batch, the strategy, λ."""

    team: Team
    teachers: Sequence[Owned]
    strategy: Strategy | None  # None for a single teacher
    distill: float
    generator: Generator


def backward(
    task: Task,
    views: Sequence[Tensor],
    wrap: Wrap,
    batch: Owned,
    teaching: Teaching | None = None,
    parameters: Sequence[Tensor] = (),
    auxiliary: Auxiliary | None = None,
    compare: bool = False,
    world: World = ALONE,
    relay: Relay | None = None,
    coefficient: float = 1.0,
    loss_name: str | None = None,
    readings: Readings = AT_ONCE,
) -> StepResult:
    """Adds the gradient of c·L_task + λ·Σ_t w_t ℓ_t + L_auxiliary to the student's and the heads' parameters.

    `coefficient` is c; `loss_name` names L_task, by default that of the task's `losses`. `views` are the tensors that the
    task's `forward` returned, with their graph: output tensors [B, …], followed by those that the student's `auxiliary` loss
    reads, then by internals. `wrap` turns copies of them into `Outputs`; `parameters` are the student's. All losses, and the
    gradients for strategies, are computed on detached copies of the views; the gradients accumulated there are then passed
    backward through the student once. With `compare`, the teachers' gradients are compared even if the strategy does not read
    them. On a GPU, only a step with `compare` is timed, because timing waits for it. `readings` read whether the strategy's
    weights are valid.

    In a `world` of several ranks the views are this rank's rows (`World.read`); everything else is of the whole batch. The
    resulting gradients of all parameters in the `relay` are those of the whole batch, on every rank.
    """
    copies = [world.gather(view.detach().float(), len(batch)).requires_grad_() for view in views]
    student = wrap(copies)
    read = len(views) - len(internal_tensors(student))  # from here on views are internals
    if loss_name is None:
        task_losses = checked_tensor(task.losses(student, batch), task, "losses", [len(batch)])
    else:
        task_losses = checked_tensor(task.train_losses(student, batch, loss_name), task, "train_losses", [len(batch)])
    truth = task_losses.mean()
    own = coefficient * truth
    if auxiliary is not None:
        own = own + checked_auxiliary(getattr(auxiliary, "__self__", auxiliary), auxiliary(copies[:read], batch))
    result = StepResult(truth.detach(), own.detach())
    if teaching is None:
        _run_backward(own)
    else:
        team = teaching.team
        losses = team.losses(student, teaching.teachers, batch)
        heads = [list(head.parameters()) for head in team.heads]
        points = [*views[: len(student.tensors)], *views[read:]]
        graph = Graph(losses, student, heads, points, parameters, world)
        timed = compare or not truth.is_cuda
        signal = StepSignal(task, graph, teaching.teachers, team.names, batch, task_losses, teaching.generator, timed)
        started = moment(truth) if timed else None
        weights = world.agreed(_weigh(teaching.strategy, signal, readings))
        seconds = None if started is None else moment(truth) - started
        reuse = "leaf_gradients" in vars(signal) and weights.dim() == 1  # before comparing, which must not change the step
        if seconds is not None and reuse:
            seconds -= signal.leaf_seconds
        gramian = signal.gramian if compare and len(losses) > 1 else None
        parts = signal.losses if reuse else torch.stack(losses)
        if weights.dim() == 3:
            taught = team.fused_losses(student, teaching.teachers, weights, batch)
        else:
            taught = (_per_sample(weights) * parts).sum(dim=0)
        loss = own + teaching.distill * taught.mean()
        _run_backward(loss)
        if reuse:
            _add_teachers(signal, graph, teaching.distill * weights)
        result = StepResult(truth.detach(), loss.detach(), weights, gramian, seconds)
    if relay is not None:
        relay.backward(views, [copy.grad for copy in copies], world)
        return result
    # A frozen tower has no graph.
    roots = [(view, copy.grad) for view, copy in zip(views, copies, strict=True) if view.requires_grad]
    sent = [(view, grad.to(view.dtype)) for view, grad in roots if grad is not None]
    if sent:  # none of a student that a stage freezes as a whole
        torch.autograd.backward([view for view, _ in sent], [grad for _, grad in sent])
    return result


def _weigh(strategy: Strategy | None, signal: StepSignal, readings: Readings) -> Tensor:
    if strategy is None:
        return signal.losses.new_ones(1)
    weights = weights_of(strategy, strategy.weigh(signal), *signal.losses.shape)
    return checked(weights.to(signal.losses, non_blocking=True), signal.losses, strategy, readings)


def _add_teachers(signal: StepSignal, graph: Graph, weights: Tensor) -> None:
    """Backward of Σ_t weights_t ℓ_t; reuses gradients that the strategy has already computed."""
    for teacher, grads in enumerate(signal.leaf_gradients):
        leaves = graph.leaves(teacher)
        for leaf, grad in zip(leaves, grads, strict=True):
            if not leaf.is_leaf:  # such as a logit scale, the exponential of its parameter
                leaf.backward(weights[teacher] * grad, retain_graph=True)  # type: ignore[no-untyped-call]
            elif leaf.grad is None:
                leaf.grad = weights[teacher] * grad
            else:
                leaf.grad += weights[teacher] * grad


def _run_backward(loss: Tensor) -> None:
    # The graphs of a learned scale and of the student's logits are used once per teacher.
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]


def checked(weights: Tensor, losses: Tensor, strategy: Strategy, readings: Readings = AT_ONCE) -> Tensor:
    """Checks weights: [T], [T, B] or [T, B, B], nonnegative, summing to one over the teachers.

    Another sum would act as a hidden learning rate; a strategy that needs this sets `raw = True`. Raises PluginError with the
    weights found, at once or when `readings` are read.
    """
    weights_of(strategy, weights, *losses.shape)
    rows = weights.reshape(len(weights), -1)
    off = (rows.sum(dim=0) - 1).abs() > 1e-3
    place = off.int().argmax(dim=0, keepdim=True)  # of the first one
    facts = [torch.isfinite(losses).all(), torch.isfinite(weights).all(), (weights < -1e-6).any(), off.any()]
    found = torch.cat([torch.stack(facts).to(rows), rows[:, 0], rows.index_select(1, place)[:, 0]])
    readings.add(found, partial(_judge, strategy, getattr(strategy, "raw", False)))
    return weights


def _judge(strategy: Strategy, raw: bool, found: Sequence[float]) -> None:
    """Raises the error of `checked` from four facts and the weights of all teachers at two places."""
    finite_losses, finite, negative, off, *weights = found
    first, wrong = weights[: len(weights) // 2], weights[len(weights) // 2 :]
    if not finite_losses:
        return  # the run has diverged, which the loop reports; the weights are meaningless
    if not finite:
        raise NotFinite(str(refused(strategy, "weigh", f"{_brief(first)}", "finite weights that are not negative")))
    if negative and not raw:
        raise refused(strategy, "weigh", f"{_brief(first)}", "finite weights that are not negative")
    if off and not raw:
        raise refused(strategy, "weigh", f"{_brief(wrong)}", "a sum of 1 over teachers", "divide by the sum")


def _brief(weights: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in weights]


def _per_sample(weights: Tensor) -> Tensor:
    return weights[:, None] if weights.dim() == 1 else weights
