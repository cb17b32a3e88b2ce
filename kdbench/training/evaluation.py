"""Evaluates a student of any task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.contracts.values import Owned

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays


import torch
from torch import nn

from kdbench.contracts import Student, Task
from kdbench.training.distributed import ALONE, World


@torch.no_grad()
def evaluated(task: Task, student: Student, encoded: Owned, batch_size: int, device: str, world: World = ALONE) -> Arrays:
    """The arrays of `task.evaluate` for a student in eval mode; restores the previous modes.

    First copies rank 0's buffers, such as running statistics, to all ranks. Raises Diverged if the student's outputs are not
    finite.
    """
    module: object = student.module
    if not isinstance(module, nn.Module):
        return task.evaluate(student, encoded, batch_size, device, world)
    modes = [(part, part.training) for part in module.modules()]  # a frozen part stays in eval mode
    module.eval()
    world.agree_on_buffers(module)
    arrays = task.evaluate(student, encoded, batch_size, device, world)
    for part, training in modes:
        part.training = training
    return arrays
