"""Student, heads, optimizer and strategy in one stage of a run, and one training step of all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import FeedSettings, Student, Task
from kdbench.contracts.values import Owned
from kdbench.storage.digest import digest_of
from kdbench.training.average import Average
from kdbench.training.borders import checked_report, checked_views
from kdbench.training.distributed import ALONE, Relay, World, synchronised
from kdbench.training.internals import StudentForward
from kdbench.training.optimizer import adamw, freeze, restore, schedule
from kdbench.training.own_process import OwnProcess
from kdbench.training.pieces import StatisticsKept, forward_in, pieces_of, warn_of_statistics
from kdbench.training.precision import autocast, in_bf16, warn_of_rounding
from kdbench.training.readings import Readings
from kdbench.training.stage import Stage, tell
from kdbench.training.step import StepResult, Teaching, backward

BACKEND = "inductor"  # of torch.compile; without a C++ compiler, "aot_eager" traces and does not generate code


class Learner:
    """Everything that a step of a stage changes. Random numbers of a step depend only on the seed and the step.

    Optimizer, schedule and moving average are new in each stage: what is trained and how fast may change, and moments of a
    parameter that was frozen meanwhile, or of another loss, would say nothing about it.
    """

    def __init__(
        self,
        task: Task,
        student: Student,
        data: Owned,
        stages: Sequence[Stage],
        seed: int,
        device: str,
        world: World = ALONE,
        number: int = 0,
    ) -> None:
        """Begins stage `number`, counted from 0. With several, `leave` the one before first."""
        stage, last = stages[number], number + 1 == len(stages)
        settings, team = stage.settings, stage.team
        before = sum(one.settings.epochs for one in stages[:number])
        self.task, self.student, self.settings, self.device = task, student, settings, device
        self.team, self.strategy, self.world = team, stage.strategy, world
        self.module = synchronised(cast(nn.Module, student.module).to(device).train(), device, world)
        where = "train" if len(stages) == 1 else f"train.stages[{number}]"
        self.frozen = freeze(self.module, settings.lr_scale, where, whole=not last)
        if settings.channels_last:
            self.module.to(memory_format=torch.channels_last)
        forward = partial(task.forward, student)
        self.student_forward = StudentForward(task, student, team.internals if team else ())
        if settings.compile:  # what this process compiled before must not count: beyond a limit, torch no longer compiles
            torch.compiler.reset()
        called = self.student_forward if self.student_forward.names else forward
        self.forward = torch.compile(called, dynamic=False, backend=BACKEND) if settings.compile else called
        self.heads = team.heads if team else nn.ModuleList()
        self.names = team.names if team else []
        self.feed = task.feed(data, FeedSettings(settings.batch_size, settings.epochs, seed, device, world.read, before))
        self.first, self.steps = before * self.feed.per_epoch, settings.epochs * self.feed.per_epoch
        self.optimizer = adamw(self.module, self.heads, settings)
        self.autocast = in_bf16(settings.precision, device)
        if self.autocast:
            warn_of_rounding(forward, self.module, self.feed.inputs(self.first), device)
        self.seed = seed
        self.generator = torch.Generator()
        self.auxiliary = getattr(self.module, "auxiliary_loss", None)
        self.average = Average(self.module, settings.ema) if settings.ema else None
        trained = any(group["params"] for group in self.optimizer.param_groups)
        self.relay = Relay([self.module, self.heads]) if world.size > 1 and trained else None
        self.process = OwnProcess()
        self.readings = Readings.of(device, world.size)
        samples = -(-settings.batch_size // world.size)  # of the largest rank; all ranks have as many pieces
        self.pieces = pieces_of(samples, settings.micro_batch)
        warn_of_statistics(self.module, self.pieces, samples)
        self._checked = False  # whether outputs of a first step were

    def step(self, step: int, compare: bool = False) -> StepResult:
        """Runs step `step`, counted from 0 over all stages; with `compare` the result holds the teachers' Gramian."""
        self.generator.manual_seed(int(digest_of([self.seed, step, "strategy"])[:8], 16))
        batch = self.feed.batch(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["scale"] * self.settings.lr * schedule(step - self.first, self.steps, self.settings.warmup)
        self.optimizer.zero_grad()
        inputs = self.feed.inputs(step)
        views = self._forward(step, batch, inputs)
        if not self._checked:
            self.task.check_outputs(self.student, self.student_forward.own(views))
            self._checked = True
        teaching = None
        if self.team:
            teaching = Teaching(self.team, self.team.outputs(batch), self.strategy, self.settings.distill, self.generator)
        result = backward(
            self.task,
            views,
            self.student_forward.outputs,
            batch,
            teaching,
            [p for p in self.module.parameters() if p.requires_grad],
            self.auxiliary,
            compare,
            self.world,
            self.relay,
            self.settings.task,
            self.settings.loss,
            self.readings,
        )
        if self.team and self.team.moving:
            self.team.step(self._outputs(views, batch), batch)
        self.process.check()
        nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.task.after_step(self.student)
        if self.average:
            self.average.update()
        started = time.perf_counter()
        if teaching and hasattr(self.strategy, "observe_after"):
            tell(self.strategy, "observe_after", self._losses_after(step, batch, inputs, teaching))
        if hasattr(self.strategy, "observe"):  # otherwise the loss is not read
            tell(self.strategy, "observe", float(result.task))
        if result.strategy_seconds is None:
            return result
        return replace(result, strategy_seconds=result.strategy_seconds + time.perf_counter() - started)

    def _forward(self, step: int, batch: Owned, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The views of the student as it is now of the batch of a step, whose `inputs` they are computed from.

        Seeded: draws of a strategy or head cannot change the student's, such as for dropout, and a resumed run needs no
        generator state.
        """
        drawn = int(digest_of([self.seed, step])[:8], 16)  # hashed, because torch's CPU generator reads 32 bits of a seed
        # Inside the student, which reads other rows on each rank, ranks draw different numbers; above its outputs, the same.
        _seed(drawn if self.relay is None else int(digest_of([self.seed, step, self.world.rank])[:8], 16), self.device)
        with autocast(self.device, self.autocast):
            made = forward_in(self.pieces, self.forward, inputs, self.module, self.task)
            views = checked_views(self.task, made, len(inputs[0]) if inputs else len(batch))
        if self.relay is not None:
            _seed(drawn, self.device)
        return views

    @torch.no_grad()
    def _losses_after(self, step: int, batch: Owned, inputs: Sequence[Tensor], teaching: Teaching) -> Tensor:
        """[T, B]: the distillation losses of the batch of a step, with the student and the heads as they are now.

        Draws of the student repeat those of the step, and running statistics of batch norms stay.
        """
        with StatisticsKept(self.module):
            views = self._forward(step, batch, inputs)
        return torch.stack(teaching.team.losses(self._outputs(views, batch), teaching.teachers, batch))

    @torch.no_grad()
    def _outputs(self, views: Sequence[Tensor], batch: Owned) -> Owned:
        """The student's outputs for the whole batch, without a graph."""
        return self.student_forward.outputs([self.world.gather(view.float(), len(batch)) for view in views])

    def report(self) -> dict[str, float]:
        """The figures of the strategy's `report`."""
        return checked_report(self.strategy, tell(self.strategy, "report"))

    def blame(self, step: int) -> None:
        """Raises NotFinite if a loss of a step is not finite because a teacher's outputs are not."""
        if self.team:
            self.team.blame(self.feed.batch(step))

    def end_epoch(self, validation: dict[str, float] | None) -> None:
        """Notifies the strategy of the end of an epoch, with the validation metrics if they were measured."""
        tell(self.strategy, "end_epoch", validation)

    def leave(self) -> None:
        """Ends the stage: what it has frozen can be trained again."""
        self.optimizer.zero_grad()  # or the next stage would clip by gradients of what it freezes
        for parameter in self.frozen:
            parameter.requires_grad_()

    def evaluating(self) -> AbstractContextManager[None]:
        """A context in which the student has the weights that are evaluated and kept: their moving average, if there is one."""
        return self.average.in_place() if self.average else nullcontext()

    def student_state(self) -> dict[str, Tensor]:
        """A copy of the student's weights on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Its state for a checkpoint."""
        return {
            "student": self.module.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "strategy": tell(self.strategy, "state_dict"),
            **({"average": self.average.state_dict()} if self.average else {}),
            **({"teachers": self.team.state_dict()} if self.team and self.team.moving else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state from `state_dict`."""
        self.module.load_state_dict(state["student"])
        self.heads.load_state_dict(state["heads"])
        restore(self.optimizer, state["optimizer"])
        tell(self.strategy, "load_state_dict", state["strategy"])
        if self.average:
            self.average.load_state_dict(state["average"])
        if self.team and self.team.moving:
            self.team.load_state_dict(state["teachers"])


def _seed(number: int, device: str) -> None:
    """Seeds torch's draws on a device."""
    if device == "cpu":
        torch.default_generator.manual_seed(number)  # torch.manual_seed keeps a stack trace for each kind of GPU that may come
    else:
        torch.manual_seed(number)
