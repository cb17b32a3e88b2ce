"""Collects the trace of a run: loss, weights and gradients over windows of steps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from kdbench.records.trace import DIGITS, Trace
from kdbench.training.step import StepResult

WINDOWS = 50  # at most, and one more for each further stage; enough for a curve and small enough for git


def figures(result: StepResult) -> Tensor:
    """A step's numbers: loss, task loss, entropy of the weights, mean weights, and cosines of pairs if there is a Gramian."""
    if result.weights is None:
        return torch.stack([result.loss, result.task, torch.zeros_like(result.task)])
    parts = [torch.stack([result.loss, result.task, _entropy(result.weights)]), _means(result.weights)]
    return torch.cat(parts if result.gramian is None else [*parts, _cosines(result.gramian)])


class Tracing:
    """Columns with one value per window of steps, as plain lists for checkpoints and JSON.

    See `Trace` for the columns. Gradients are compared at the same steps for every strategy.
    """

    def __init__(self, names: Sequence[str], ends: Sequence[int], columns: dict[str, Any]) -> None:
        """Continues `columns` if they are not empty; changes them in place. `ends` are the steps after which stages end."""
        self.names = list(names)
        self.ends = list(ends)
        self.window = max(1, math.ceil(ends[-1] / WINDOWS))
        self.columns = columns
        if not columns:
            columns.update(step=[], stage=[], loss=[], task=[], weights={name: [] for name in names}, entropy=[])
            columns.update(cosines={_pair(*pair): [] for pair in combinations(names, 2)}, conflict=[], report={})
            columns.update(open={"steps": 0, "loss": 0.0, "task": 0.0, "weights": [0.0] * len(names), "entropy": 0.0})

    def closes(self, step: int) -> bool:
        """Whether a step, counted from 0, is the last of its window. No window has steps of two stages."""
        return (step + 1) % self.window == 0 or step + 1 in self.ends

    def add(self, step: int, figures: Sequence[float], report: Callable[[], dict[str, float]]) -> list[float]:
        """Adds the numbers of a step's `figures` and returns its mean weights. `report` is called at the end of a window."""
        loss, task, entropy, *rest = figures
        weights, cosines = rest[: len(self.names)], rest[len(self.names) :]
        sums = self.columns["open"]
        sums["steps"] += 1
        sums["loss"] += loss
        sums["task"] += task
        sums["weights"] = [total + weight for total, weight in zip(sums["weights"], weights, strict=True)]
        sums["entropy"] += entropy
        if self.closes(step):
            self._close(step, cosines, report())
        return weights

    def _close(self, step: int, cosines: Sequence[float], report: dict[str, float]) -> None:
        columns, sums = self.columns, self.columns["open"]
        columns["step"].append(step + 1)
        if len(self.ends) > 1:
            columns["stage"].append(1 + bisect_right(self.ends, step))
        for name in ("loss", "task", "entropy"):
            columns[name].append(_round(sums[name] / sums["steps"]))
        for name, total in zip(self.names, sums["weights"], strict=True):
            columns["weights"][name].append(_round(total / sums["steps"]))
        if cosines:
            for pair, cosine in zip(columns["cosines"].values(), cosines, strict=True):
                pair.append(_round(cosine))
            columns["conflict"].append(int(min(cosines) < 0))
        for key in {**columns["report"], **report}:
            # A figure that starts late, ends early, or is not finite is None in the affected windows.
            column = columns["report"].setdefault(key, [None] * (len(columns["step"]) - 1))
            value = report.get(key, math.nan)
            column.append(_round(value) if math.isfinite(value) else None)
        sums.update(steps=0, loss=0.0, task=0.0, weights=[0.0] * len(self.names), entropy=0.0)


def trace_of(columns: dict[str, Any]) -> Trace:
    """The trace without the unfinished window."""
    return Trace(**{name: column for name, column in columns.items() if name != "open"})


def _pair(first: str, second: str) -> str:
    return f"{first} · {second}"


def _means(weights: Tensor) -> Tensor:
    return weights if weights.dim() == 1 else weights.flatten(1).mean(dim=1)


def _entropy(weights: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(weights.clamp(min=0)).sum(dim=0).mean()
    return entropy


def _cosines(gramian: Tensor) -> Tensor:
    """The cosine of each pair of gradients; 0 if a gradient vanishes or is not finite."""
    norms = gramian.diagonal().clamp(min=0).sqrt()
    scale = torch.outer(norms, norms)
    cosines = torch.where(scale > 0, gramian / scale, 0.0).nan_to_num()
    return torch.cat([cosines[place, place + 1 :] for place in range(len(gramian))])


def _round(value: float) -> float:
    return round(float(value), DIGITS)
