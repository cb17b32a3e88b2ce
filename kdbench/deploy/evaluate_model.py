"""Evaluates one model on a dataset, outside any run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.contracts.values import Owned

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

from typing import Any

from torch import nn

from kdbench.contracts import SplitName, Task
from kdbench.training.evaluation import evaluated


def evaluate_model(
    task: Task, data: Owned, model: Any, split: SplitName = "test", batch_size: int = 256, device: str = "cpu"
) -> Arrays:
    """What each unit of a split scored (`Task.evaluate`); `task.measure` makes metrics of it.

    `data` is the dataset as `task.open` returns it. `model` is a student, which has a `module` and is moved to `device`, or
    else a teacher, which is evaluated itself on the device that `data` was opened with. Raises Diverged if its outputs are
    not finite and PluginError if the task does not evaluate teachers.
    """
    if not hasattr(model, "module"):
        return task.evaluate_teacher(model, data, split)
    if isinstance(model.module, nn.Module):
        model.module.to(device)
    return evaluated(task, model, task.encode(data, model, split), batch_size, device)
