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
    """The stored arrays (`Task.evaluate`) of a model on a split; `task.measure` turns them into metrics.

    `data` is the dataset as `task.open` returns it. `model` is a student (an object with a `module`), which is moved to
    `device`, or a teacher, which is evaluated on the device that `data` was opened with. Raises Diverged if its outputs are
    not finite, PluginError if the task does not evaluate teachers.
    """
    if not hasattr(model, "module"):
        return task.evaluate_teacher(model, data, split)
    if isinstance(model.module, nn.Module):
        model.module.to(device)
    return evaluated(task, model, task.encode(data, model, split), batch_size, device)
