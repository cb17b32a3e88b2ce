"""The only training loop. Everything it draws follows from the seed and the step, so a resumed run ends bit-identical."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import FeedSettings, Strategy, Student, Task
from kdbench.errors import Diverged
from kdbench.records.trace import Trace
from kdbench.storage import checkpoint as checkpoints
from kdbench.storage.digest import digest_of
from kdbench.suite.settings import Evaluate, Train
from kdbench.training.distributed import ALONE, Relay, World, synchronised
from kdbench.training.step import StepResult, Teaching, backward
from kdbench.training.team import Team
from kdbench.training.trace import Tracing, trace_of

OnStep = Callable[[int, int, float, dict[str, float]], None]  # step, steps, loss, weights
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass
class Trained:
    """What a training leaves behind; the student itself holds the weights of its best validation epoch."""

    steps: int
    best_epoch: int
    validation: dict[str, float]  # metrics of the best epoch
    weights: dict[str, float]  # mean weight by teacher
    trace: Trace  # what losses, weights and gradients did
    seconds: float  # of training, before and after any stop
    strategy_seconds: float = 0.0  # of these, what the strategy took


@dataclass
class _State:
    """What a checkpoint holds beside the tensors of modules and optimiser."""

    step: int = 0
    seconds: float = 0.0
    strategy_seconds: float = 0.0
    best_epoch: int = -1
    validation: dict[str, float] = field(default_factory=dict)
    weight_sums: list[float] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_weights: list[float] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)


def train(
    task: Task,
    student: Student,
    data: Any,
    validation: Any,
    settings: Train,
    evaluate: Evaluate,
    seed: int,
    device: str,
    team: Team | None = None,
    strategy: Strategy | None = None,
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    world: World = ALONE,
) -> Trained:
    """Trains `student` in place and leaves it, in eval mode, at its best epoch by the task's headline metric on validation.

    `data` and `validation` are splits as `task.encode` returns them. With a `checkpoint` path, training resumes from it if it
    exists. Raises Diverged when the loss is no longer finite. The test split is not among the arguments. In a `world` of
    several ranks every one calls this with the same arguments; the first alone reads and writes the checkpoint, from which another number of ranks may resume.
    """
    loop = _Loop(task, student, data, settings, seed, device, team, strategy, world)
    zeros = [0.0] * len(loop.names)
    state, best = _State(weight_sums=list(zeros), epoch_weights=list(zeros)), {}
    saved = world.told(checkpoints.load(checkpoint) if checkpoint and world.first else None)
    if saved is not None:
        state, best = _State(**saved["state"]), saved["best"]
        loop.load_state_dict(saved["loop"])
    tracing = Tracing(loop.names, loop.steps, state.series)
    headline = task.headline

    def save() -> None:
        if checkpoint is not None and world.first:
            checkpoints.save(checkpoint, {"state": vars(state), "best": best, "loop": loop.state_dict()})

    started = time.perf_counter() - state.seconds
    while state.step < loop.steps:
        result = loop.step(state.step, compare=tracing.closes(state.step))
        loss = float(result.loss)
        if not math.isfinite(loss):
            raise Diverged(f"loss {loss} at step {state.step + 1} of {loop.steps}")
        weights = tracing.add(state.step, result, loop.report)
        state.strategy_seconds += result.strategy_seconds
        state.weight_sums = [total + w for total, w in zip(state.weight_sums, weights, strict=True)]
        state.epoch_weights = [total + w for total, w in zip(state.epoch_weights, weights, strict=True)]
        state.epoch_loss += loss / loop.feed.per_epoch
        state.step += 1
        if on_step:
            on_step(state.step, loop.steps, loss, dict(zip(loop.names, weights, strict=True)))

        epoch, rest = divmod(state.step, loop.feed.per_epoch)
        if rest == 0:
            metrics: dict[str, float] = {}
            if epoch % evaluate.every == 0 or epoch == settings.epochs:
                metrics = _validated(task, student, validation, evaluate, device, world)
                if not state.validation or headline.better(metrics[headline.name], state.validation[headline.name]):
                    state.best_epoch, state.validation, best = epoch, metrics, loop.student_state()
            loop.end_epoch(metrics or None)
            if on_epoch:
                means = [total / loop.feed.per_epoch for total in state.epoch_weights]
                shown = {f"weight/{name}": mean for name, mean in zip(loop.names, means, strict=True)}
                on_epoch(epoch, {"loss": state.epoch_loss, **shown, **metrics})
            state.epoch_loss, state.epoch_weights = 0.0, list(zeros)
        if rest == 0 or state.step % settings.checkpoint_every == 0:
            state.seconds = time.perf_counter() - started
            save()
    state.seconds = time.perf_counter() - started
    module = cast(nn.Module, student.module)
    module.load_state_dict(best)
    module.eval()
    means = [total / loop.steps for total in state.weight_sums]
    return Trained(
        steps=loop.steps,
        best_epoch=state.best_epoch,
        validation=state.validation,
        weights=dict(zip(loop.names, means, strict=True)),
        trace=trace_of(tracing.columns),
        seconds=state.seconds,
        strategy_seconds=state.strategy_seconds,
    )


def _validated(task: Task, student: Student, split: Any, evaluate: Evaluate, device: str, world: World) -> dict[str, float]:
    """The metrics of a split, as the first rank finds them."""
    arrays = task.evaluate(student, split, evaluate.batch_size, device, world)
    return cast(dict[str, float], world.told(task.measure(arrays) if world.first else None))


class _Loop:
    """Student, optimiser and strategy, moved on one step at a time."""

    def __init__(
        self,
        task: Task,
        student: Student,
        data: Any,
        settings: Train,
        seed: int,
        device: str,
        team: Team | None,
        strategy: Strategy | None,
        world: World = ALONE,
    ) -> None:
        self.task, self.student, self.settings, self.device = task, student, settings, device
        self.team, self.strategy, self.world = team, strategy, world
        self.module = synchronised(cast(nn.Module, student.module).to(device).train(), device, world)
        self.heads = team.heads if team else nn.ModuleList()
        self.names = team.names if team else []
        share = self.world.read
        self.feed = task.feed(data, FeedSettings(settings.batch_size, settings.epochs, seed, device, share))
        self.steps = settings.epochs * self.feed.per_epoch
        self.optimizer = torch.optim.AdamW(
            [
                *_decay_groups(self.module, settings.weight_decay),
                *_decay_groups(self.heads, settings.weight_decay),
            ],
            lr=settings.lr,
            fused=True,
        )
        self.autocast = settings.precision == "bf16" or (
            settings.precision == "auto" and device.startswith("cuda") and torch.cuda.is_bf16_supported()
        )
        self.seed = seed
        self.generator = torch.Generator()
        self.auxiliary = getattr(self.module, "auxiliary_loss", None)
        self.relay = Relay([self.module, self.heads]) if world.size > 1 else None

    def step(self, step: int, compare: bool = False) -> StepResult:
        """Runs step `step`, counted from 0; with `compare` the result holds the teachers' Gramian."""
        # Seeded at every step: what a strategy or a head draws cannot change what the student draws, say for dropout, and
        # a resumed run needs no generator's state.
        drawn = int(digest_of([self.seed, step])[:8], 16)  # hashed, for torch's CPU generator reads 32 bits of a seed
        # Ranks draw apart in their towers, whose rows are others, and alike above them.
        torch.manual_seed(drawn if self.relay is None else int(digest_of([self.seed, step, self.world.rank])[:8], 16))
        self.generator.manual_seed(int(digest_of([self.seed, step, "strategy"])[:8], 16))
        batch = self.feed.batch(step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * schedule(step, self.steps, self.settings.warmup)
        self.optimizer.zero_grad()
        with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.autocast):
            views = self.task.forward(self.student, self.feed.inputs(step))
        if self.relay is not None:
            torch.manual_seed(drawn)
        teaching = None
        if self.team:
            teaching = Teaching(self.team, self.team.outputs(batch), self.strategy, self.settings.distill, self.generator)
        result = backward(
            self.task,
            views,
            partial(self.task.outputs, self.student),
            batch,
            teaching,
            [p for p in self.module.parameters() if p.requires_grad],
            self.auxiliary,
            compare,
            self.world,
            self.relay,
        )
        nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.task.after_step(self.student)
        started = time.perf_counter()
        self._tell("observe", float(result.task))
        return replace(result, strategy_seconds=result.strategy_seconds + time.perf_counter() - started)

    def report(self) -> dict[str, float]:
        """The strategy's own figures."""
        return self._tell("report") or {}

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        self._tell("end_epoch", validation)

    def _tell(self, method: str, *arguments: object) -> Any:
        """Calls one of a strategy's optional methods."""
        return getattr(self.strategy, method)(*arguments) if hasattr(self.strategy, method) else None

    def student_state(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "student": self.module.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "strategy": self._tell("state_dict"),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["student"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:
                    # In the parameter's own memory order, channels-last say: fused AdamW walks through both side by side,
                    # and a file keeps values, not strides.
                    moments[name] = torch.empty_like(parameter).copy_(value)
        self._tell("load_state_dict", state["strategy"])


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at a step counted from 0: linear warm-up, then a cosine to zero."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices and filters; none on biases, norms and scales."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": group, "weight_decay": decay}
        for group, decay in (
            ([p for p in parameters if p.dim() > 1], weight_decay),
            ([p for p in parameters if p.dim() <= 1], 0.0),
        )
        if group
    ]
