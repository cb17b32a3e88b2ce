"""A student at inference: its finalized module, and the parts that its task wants measured."""

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
    """The module without what served the training alone, and its parts by name with inputs [B, …]; at first on the CPU."""

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
        """What a part returns."""
        return self.parts[part].call(self.module, inputs)

    def first(self, count: int) -> Inference:
        """The same module with the first inputs of each part only."""
        return replace(self, parts={name: replace(part, inputs=self.inputs(name, count)) for name, part in self.parts.items()})

    def to(self, device: str) -> Inference:
        """Moves the module, which stays the same object, and the inputs."""
        parts = {name: replace(part, inputs=part.inputs.to(device)) for name, part in self.parts.items()}
        return Inference(self.module.to(device), parts, self.width)


def at_inference(student: Any, task: Task, samples: Mapping[str, Any], count: int) -> Inference:
    """Calls the student's `finalize`, if it has one, and has its task draw `count` inputs for each part, like `samples`.

    Raises KdbenchError as `Task.parts` does.
    """
    finalize = getattr(student, "finalize", None)
    module = cast(nn.Module, finalize() if finalize else student.module)
    width = task.width(student) if task.searches else None
    return Inference(module, {part.name: part for part in task.parts(student, samples, count)}, width)


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Puts every part of the module in eval mode, and afterwards back in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training  # one by one: `train()` would set the parts below as well


def run_once(inference: Inference) -> None:
    """Every part reads one input."""
    with in_eval_mode(inference.module), torch.no_grad():
        for name in inference.parts:
            inference.run(name, inference.inputs(name, 1))
