"""The only training loop. Its random numbers depend only on the seed and the step: a resumed run is bit-identical."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, cast

from torch import nn

from kdbench.contracts import Student, Task
from kdbench.contracts.values import Owned
from kdbench.errors import Diverged
from kdbench.records.trace import Trace
from kdbench.storage.checkpoint import Checkpoint
from kdbench.suite.settings import Evaluate
from kdbench.training.borders import measured
from kdbench.training.distributed import ALONE, World
from kdbench.training.evaluation import evaluated
from kdbench.training.learner import Learner
from kdbench.training.pace import Pace
from kdbench.training.stage import Stage
from kdbench.training.trace import Tracing, figures, trace_of

OnStep = Callable[[int, int, float, dict[str, float]], None]  # step, steps, loss, weights
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass
class Trained:
    """The result of a training; the student itself has the weights of its best validation epoch."""

    steps: int
    best_epoch: int
    validation: dict[str, float]  # metrics of the best epoch
    weights: dict[str, float]  # mean weight by teacher
    trace: Trace  # of losses, weights and gradients
    seconds: float  # of training, including time before a resume
    strategy_seconds: float = 0.0  # of these, spent in the strategy


@dataclass
class _State:
    """The state in a checkpoint beside the tensors of modules and optimizer."""

    step: int = 0
    stage: int = 0
    seconds: float = 0.0
    strategy_seconds: float = 0.0
    best_epoch: int = -1
    validation: dict[str, float] = field(default_factory=dict)
    ready: bool = True  # whether the student was, at its best epoch
    weight_sums: list[float] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_weights: list[float] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)


def train(
    task: Task,
    student: Student,
    data: Owned,
    validation: Owned,
    stages: Sequence[Stage],
    evaluate: Evaluate,
    seed: int,
    device: str,
    checkpoint: Checkpoint | None = None,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    world: World = ALONE,
) -> Trained:
    """Trains `student` in place and leaves it, in eval mode, at its best epoch by the task's headline metric on validation.

    A stage begins with the student as the last step of the one before left it. The best epoch is one of the last stage: before
    it, the recipe is not finished. `data` and `validation` are splits as `task.encode` returns them. With a `checkpoint`,
    training resumes from it if it exists. Raises Diverged when the loss is no longer finite, NotFinite if it is not because of
    a teacher's outputs. The test split is not among the
    arguments. In a `world` of several ranks, all call this with the same arguments; only rank 0 reads and writes the
    checkpoint, from which another number of ranks can resume.
    """
    saved = world.broadcast(checkpoint.load() if checkpoint and world.first else None)
    state, best = (_State(**saved["state"]), saved["best"]) if saved else (_State(), {})
    begun = partial(Learner, task, student, data, stages, seed, device, world)
    learner = begun(state.stage)
    if saved:
        for stage, kept in zip(stages, saved.get("earlier", []), strict=False):
            stage.load_state_dict(kept)
        learner.load_state_dict(saved["learner"])
    per_epoch = learner.feed.per_epoch
    ends = [epochs * per_epoch for epochs in accumulate(stage.settings.epochs for stage in stages)]
    steps = ends[-1]
    zeros = [0.0] * len(learner.names)
    state.weight_sums, state.epoch_weights = state.weight_sums or zeros, state.epoch_weights or zeros
    tracing = Tracing(learner.names, ends, state.trace)
    timed = state.step

    def take(step: int, numbers: Sequence[float]) -> None:
        """Adds the figures of a step, in the order of steps."""
        loss = numbers[0]
        if not math.isfinite(loss):
            learner.blame(step)
            raise Diverged(f"loss {loss} at step {step + 1} of {steps}")
        weights = tracing.add(step, numbers, learner.report)
        state.weight_sums = [total + w for total, w in zip(state.weight_sums, weights, strict=True)]
        state.epoch_weights = [total + w for total, w in zip(state.epoch_weights, weights, strict=True)]
        state.epoch_loss += loss / per_epoch
        if on_step:
            on_step(step + 1, steps, loss, dict(zip(learner.names, weights, strict=True)))

    def save() -> None:
        if checkpoint is not None and world.first:
            earlier = [stage.state_dict() for stage in stages[: state.stage]]
            held = {"state": vars(state), "best": best, "earlier": earlier, "learner": learner.state_dict()}
            checkpoint.save(held)

    pace, started = Pace(stages[0].settings.checkpoint_every), time.perf_counter() - state.seconds
    while state.step < steps:
        if state.step == ends[state.stage]:
            learner.leave()
            state.stage += 1
            learner = begun(state.stage)
            state.best_epoch, state.validation, best = -1, {}, {}
        closes = tracing.closes(state.step)
        try:
            result = learner.step(state.step, compare=closes)
        except Exception:
            learner.readings.read()  # an earlier step, not read yet, may be the cause
            raise
        learner.readings.add(figures(result), partial(take, state.step))
        state.step += 1
        if result.strategy_seconds is not None:  # it stands for the steps before that were not timed
            state.strategy_seconds += result.strategy_seconds * (state.step - timed)
            timed = state.step
        epoch, rest = divmod(state.step, per_epoch)
        if closes or rest == 0:
            learner.readings.read()
        if rest == 0:
            metrics: dict[str, float] = {}
            if epoch % evaluate.every == 0 or state.step == steps:
                with learner.evaluating():
                    metrics = _validated(task, student, validation, evaluate, device, world)
                    ready = _ready(student)
                    if _improves(task, metrics, state.validation, ready, state.ready):
                        state.best_epoch, state.validation, best = epoch, metrics, learner.student_state()
                        state.ready = ready
            learner.end_epoch(metrics or None)
            if on_epoch:
                means = [total / per_epoch for total in state.epoch_weights]
                shown = {f"weight/{name}": mean for name, mean in zip(learner.names, means, strict=True)}
                on_epoch(epoch, {"loss": state.epoch_loss, **shown, **metrics})
            state.epoch_loss, state.epoch_weights = 0.0, list(zeros)
        if checkpoint is not None and pace.due(state.step):
            learner.readings.read()  # here: waiting for a GPU is no part of what a checkpoint costs
            state.seconds = time.perf_counter() - started
            with pace.writing():
                save()
    state.seconds = time.perf_counter() - started
    module = cast(nn.Module, student.module)
    module.load_state_dict(best)
    module.eval()
    means = [total / steps for total in state.weight_sums]
    return Trained(
        steps=steps,
        best_epoch=state.best_epoch,
        validation=state.validation,
        weights=dict(zip(learner.names, means, strict=True)),
        trace=trace_of(tracing.columns),
        seconds=state.seconds,
        strategy_seconds=state.strategy_seconds,
    )


def _validated(task: Task, student: Student, split: Owned, evaluate: Evaluate, device: str, world: World) -> dict[str, float]:
    """The metrics of a split, computed by rank 0."""
    arrays = evaluated(task, student, split, evaluate.batch_size, device, world)
    return cast(dict[str, float], world.broadcast(measured(task, arrays) if world.first else None))


def _ready(student: Student) -> bool:
    """Whether the student may be kept as it is, by its own account."""
    told: Any = getattr(student, "ready", None)
    return told is None or bool(told())


def _improves(task: Task, metrics: dict[str, float], best: dict[str, float], ready: bool, was_ready: bool) -> bool:
    """Whether an epoch is better than the best before it; the first always is, and one that is ready than one that is not."""
    headline = task.headline
    if not best:
        return True
    if ready != was_ready:
        return ready
    return headline.better(metrics[headline.name], best[headline.name])
