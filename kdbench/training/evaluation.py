"""Evaluates a student, whatever the task."""

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
    """What `task.evaluate` finds of a student in eval mode, whose mode is then what it was before.

    Ranks first agree on buffers, such as running statistics. Raises Diverged if the student's outputs are not finite.
    """
    module: object = student.module
    if not isinstance(module, nn.Module):
        return task.evaluate(student, encoded, batch_size, device, world)
    was_training = module.training
    module.eval()
    world.agree_on_buffers(module)
    arrays = task.evaluate(student, encoded, batch_size, device, world)
    module.train(was_training)
    return arrays
