"""What strategies, objectives and tasks must return in a step, checked at every step without waiting for a GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import Objective, Outputs, Strategy, Task
from kdbench.contracts.border import checked_tensor, described, refused, required
from kdbench.errors import NotFinite, PluginError

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

NEGATIVE = 1e-3  # of the largest loss, or of 1: what rounding may take from a loss of 0


def checked_strategy(strategy: object) -> Strategy:
    """A strategy. Raises PluginError if it has no `weigh`, or only one half of saving and loading."""
    required(strategy, "a strategy", ["weigh"])
    halves = [name for name in ("state_dict", "load_state_dict") if hasattr(strategy, name)]
    if len(halves) == 1:
        raise refused(strategy, halves[0], "this method alone", "state_dict and load_state_dict, or neither")
    return cast(Strategy, strategy)


def checked_objective(objective: object) -> Objective:
    """An objective. Raises PluginError if it lacks `head` or `losses`."""
    required(objective, "an objective", ["head", "losses"])
    return cast(Objective, objective)


def checked_head(objective: Objective, head: object) -> nn.Module | None:
    """What `head` returned. Raises PluginError if it is neither a module nor None."""
    if head is not None and not isinstance(head, nn.Module):
        raise refused(objective, "head", described(head), "a torch.nn.Module or None")
    return head


def checked_losses(objective: Objective, losses: object, samples: int, method: str = "losses") -> Tensor:
    """What `losses` returned, [B]. Raises PluginError for another type or shape: a scalar would count for every sample."""
    return checked_tensor(losses, objective, method, [samples])


def check_taught(objective: Objective, losses: Tensor, student: Outputs, method: str = "losses") -> None:
    """Raises PluginError for losses [B] that do not depend on the student: it would learn nothing from them, without a word."""
    if torch.is_grad_enabled() and not losses.requires_grad and any(one.requires_grad for one in student.tensors):
        raise refused(
            objective, method, "losses without a gradient", "losses computed from the student's outputs", "do not detach them"
        )


def check_first(objective: Objective, losses: Tensor, student: Outputs, method: str = "losses") -> None:
    """Looks at the losses [B] of a first step, for which a GPU is waited for.

    Raises PluginError if one is negative, beyond rounding, and NotFinite if one is not finite although the student's outputs
    are: what the student has not caused must not be recorded as its divergence.
    """
    values = losses.detach().float().cpu()
    if not torch.isfinite(values).all():
        if all_finite(student):
            where = f"{method}, first step"
            found = f"{values[~torch.isfinite(values)][0]:g} for finite outputs of student and teacher"
            raise NotFinite(str(refused(objective, where, found, "finite losses")))
        return
    low = float(values.min())
    if low < -NEGATIVE * max(1.0, float(values.abs().max())):
        found = f"{low:.4g} for sample {int(values.argmin())}"
        raise refused(objective, method, found, "losses of 0 or more, by which strategies weigh teachers")


def all_finite(outputs: Outputs) -> bool:
    """Whether all output tensors are finite, or none can be read, as of a teacher that lacks a tower."""
    try:
        tensors = outputs.tensors
    except PluginError:
        return True
    return all(bool(torch.isfinite(tensor.detach()).all()) for tensor in tensors)


def weights_of(strategy: Strategy, weights: object, teachers: int, samples: int) -> Tensor:
    """What `weigh` returned, detached: [T], [T, B] or [T, B, B]. Raises PluginError for another type or shape."""
    shapes = [teachers], [teachers, samples], [teachers, samples, samples]
    return checked_tensor(weights, strategy, "weigh", *shapes, floats=False).detach()


def checked_report(strategy: object, report: object) -> dict[str, float]:
    """What a strategy's `report` returned, {} for None. Raises PluginError if it is no map of names to numbers."""
    if report is None:
        return {}
    numbers = isinstance(report, Mapping) and all(isinstance(value, int | float) for value in report.values())
    if not isinstance(report, Mapping) or not numbers or not all(isinstance(name, str) for name in report):
        raise refused(strategy, "report", repr(report)[:80], "a dict of names and numbers (float, not tensors)")
    return {name: float(value) for name, value in report.items()}


def checked_auxiliary(owner: object, loss: object) -> Tensor:
    """What `auxiliary_loss` returned. Raises PluginError if it is no scalar."""
    return checked_tensor(loss, owner, "auxiliary_loss", [])


def checked_views(task: Task, views: object, samples: int) -> Sequence[Tensor]:
    """What `forward` returned: tensors, the first with a row per sample. Raises PluginError for anything else.

    The task itself checks its further output tensors; a view that only an auxiliary loss reads may have any shape.
    """
    if not isinstance(views, tuple | list) or not views or not all(isinstance(view, Tensor) for view in views):
        raise refused(task, "forward", described(views), "a list of tensors, one row per sample")
    if views[0].dim() == 0 or len(views[0]) != samples:
        raise refused(task, "forward", described(views[0]), f"a tensor with {samples} rows, one per sample")
    return views


def measured(task: Task, arrays: Arrays) -> dict[str, float]:
    """The metrics of one evaluation.

    Raises PluginError if one that the task declares is missing, or if any is not a finite number.
    """
    metrics: object = task.measure(arrays)
    if not isinstance(metrics, Mapping):
        raise refused(task, "measure", described(metrics), "a map of the metrics")
    for name in dict.fromkeys([*(metric.name for metric in task.metrics), *metrics]):
        value = metrics.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            raise NotFinite(str(refused(task, f"measure[{name!r}]", f"{value}", "a finite number")))
        if isinstance(value, bool) or not isinstance(value, int | float):
            found = "nothing" if value is None else described(value)
            raise refused(task, f"measure[{name!r}]", found, "a finite number")
        if not isinstance(name, str):
            raise refused(task, "measure", f"the metric {name!r}", "names that are texts")
    return dict(metrics)
