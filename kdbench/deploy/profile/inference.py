"""A student at inference: its finalized module, and the parts that its task measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import Part, Task


@dataclass(frozen=True)
class Inference:
    """The finalized module and its parts by name, with inputs [B, …]; initially on the CPU."""

    module: nn.Module
    parts: dict[str, Part]
    width: int | None = None  # of its embeddings, where its task searches

    def inputs(self, part: str, count: int) -> Tensor:
        """The first `count` inputs of a part, [count, …]. Raises ValueError if there are fewer."""
        found = self.parts[part].inputs
        if count > len(found):
            raise ValueError(f"part {part!r}: found {len(found)} inputs, expected at least {count}")
        return found[:count]

    def run(self, part: str, inputs: Tensor) -> Tensor:
        """The output of a part."""
        return self.parts[part].call(self.module, inputs)

    def first(self, count: int) -> Inference:
        """The same module with the first inputs of each part only."""
        return replace(self, parts={name: replace(part, inputs=self.inputs(name, count)) for name, part in self.parts.items()})

    def to(self, device: str) -> Inference:
        """Moves the module, in place, and the inputs."""
        parts = {name: replace(part, inputs=part.inputs.to(device)) for name, part in self.parts.items()}
        return Inference(self.module.to(device), parts, self.width)


def at_inference(student: Any, task: Task, samples: Mapping[str, Any], count: int) -> Inference:
    """Finalizes the student, if it has `finalize`, and lets its task draw `count` inputs like `samples` for each part.

    Raises KdbenchError as `Task.parts` does.
    """
    finalize = getattr(student, "finalize", None)
    module = cast(nn.Module, finalize() if finalize else student.module)
    width = task.width(student) if task.searches else None
    return Inference(module, {part.name: part for part in task.parts(student, samples, count)}, width)


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Sets every submodule to eval mode and restores the previous modes afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training  # one by one: `train()` would also set submodules


def run_once(inference: Inference) -> None:
    """Runs every part on one input."""
    with in_eval_mode(inference.module), torch.no_grad():
        for name in inference.parts:
            inference.run(name, inference.inputs(name, 1))
