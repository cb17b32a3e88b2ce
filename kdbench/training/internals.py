"""Reads internals (`kdbench.contracts.internals`) of a student, or of a frozen teacher, while it computes its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import FeedSettings, Shapes, Student, Tap, Taps, Task
from kdbench.contracts.border import described, owner, refused
from kdbench.contracts.values import Owned
from kdbench.errors import PluginError
from kdbench.plugins.internals import taps_of
from kdbench.training.distributed import ALONE

SAMPLES = 2  # from which shapes are found


@contextmanager
def tapped(taps: Taps, names: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    """A context in which forward passes leave internals by name, in the order of taps. A part that runs again replaces its own.

    Outputs stay the same: hooks change nothing. What a tap has not read is None.
    """
    found: dict[str, list[Any]] = {name: [None] * len(taps[name]) for name in names}

    def hook(tap: Tap, name: str, place: int) -> Callable[..., None]:
        def read(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG001
            found[name][place] = tap.read(args, kwargs, output)

        return read

    handles = [
        tap.part.register_forward_hook(hook(tap, name, place), with_kwargs=True)
        for name in names
        for place, tap in enumerate(taps[name])
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def checked_internals(values: Sequence[object], name: str, model: object, samples: int) -> tuple[Tensor, ...]:
    """What taps have read. Raises PluginError if one has read nothing, or no tensor with a row per sample."""
    for value in values:
        if not isinstance(value, Tensor) or value.dim() < 2 or len(value) != samples:
            found = "nothing, as its part did not run" if value is None else described(value)
            raise refused(model, f"internal {name!r}", found, f"a tensor with {samples} rows, one per sample")
    return tuple(cast(Sequence[Tensor], values))


def with_internals(outputs: Owned, internals: Owned, task: Task) -> Owned:
    """Outputs that hold internals. Raises PluginError if the task's outputs have no field for them."""
    if not is_dataclass(outputs) or isinstance(outputs, type) or "internals" not in {field.name for field in fields(outputs)}:
        raise PluginError(
            f"the task {task.name!r}: found outputs without a field `internals`, beside an objective that reads them; expected "
            "a dataclass with this field"
        )
    return replace(outputs, internals=internals)


class StudentForward:
    """A student's forward pass, whose internals follow what the task's returns, and the outputs made of both.

    Without `names` it is the task's own. Raises PluginError if the student does not expose one of them.
    """

    def __init__(self, task: Task, student: Student, names: Sequence[str] = ()) -> None:
        self.task, self.student, self.names = task, student, tuple(names)
        self.taps: Taps = {}
        if names:
            exposed = taps_of(student)
            if lacking := [name for name in names if not exposed.get(name)]:
                known = ", ".join(sorted(exposed)) or "none"
                raise PluginError(
                    f"{owner(student)}: found the internals {known}; expected {', '.join(lacking)}, which the objective reads. "
                    "Take another student or objective"
                )
            self.taps = {name: exposed[name] for name in names}
        self.count = sum(len(taps) for taps in self.taps.values())

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        if not self.names:
            return self.task.forward(self.student, inputs)
        with tapped(self.taps, self.names) as found:
            views = self.task.forward(self.student, inputs)
        rows = len(inputs[0])
        return [
            *views,
            *chain.from_iterable(checked_internals(found[name], name, self.student.module, rows) for name in self.names),
        ]

    def own(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Those of the tensors that the task's forward returned."""
        return tensors[: len(tensors) - self.count]

    def outputs(self, tensors: Sequence[Tensor]) -> Owned:
        """`Outputs` of (copies of) the tensors that the forward pass returned."""
        outputs = self.task.outputs(self.student, self.own(tensors))
        if not self.names:
            return outputs
        left = iter(tensors[len(tensors) - self.count :])
        internals = {name: tuple(next(left) for _ in taps) for name, taps in self.taps.items()}
        return with_internals(outputs, internals, self.task)


def internal_tensors(outputs: Owned) -> tuple[Tensor, ...]:
    """All internals of outputs, in order; none if no objective asked."""
    return tuple(chain.from_iterable(getattr(outputs, "internals", {}).values()))


def shapes_of(outputs: Owned) -> Shapes:
    """The shapes of the internals of outputs."""
    return {name: [tuple(value.shape[1:]) for value in values] for name, values in outputs.internals.items()}


@dataclass(frozen=True)
class FirstSamples:
    """A few samples of a train split, as the student reads them: from them shapes of internals are found, once."""

    task: Task
    student: Student
    data: Owned
    device: str

    @cached_property
    def _feed(self) -> Owned:
        return self.task.feed(self.data, FeedSettings(SAMPLES, 1, 0, "cpu", ALONE.read))

    def of_student(self, names: Sequence[str]) -> Shapes:
        """Shapes of its internals. Its state, its mode and torch's random numbers stay."""
        module: Any = self.student.module
        forward, training = StudentForward(self.task, self.student, names), module.training
        inputs = [each.to(next(module.parameters()).device) for each in self._feed.inputs(0)]
        module.eval()  # batch norms must not learn from these samples
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                return shapes_of(forward.outputs(forward(inputs)))
        finally:
            module.train(training)

    def of_teacher(self, exposing: Owned, names: Sequence[str]) -> Shapes:
        """Shapes of the internals that a teacher's outputs hold."""
        shapes = shapes_of(exposing.outputs(self._feed.batch(0), self.device))
        return {name: shapes[name] for name in names}
