"""The part of a student to measure: one forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kdbench.contracts import Part
from kdbench.tasks.forecasting.forecasters import Forecaster

GRID = (64, 64)  # without a dataset, of a forecaster that works on any


def forecast(student: Forecaster, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
    """`count` random histories on the grid of `samples`, or the student's own."""
    grid = samples.get("grid") or getattr(student, "grid", None) or GRID
    drawn = torch.randn(count, student.history, student.channels, *grid, generator=torch.Generator().manual_seed(0))
    return [Part("forecast", drawn, _forecast)]


def _forecast(module: nn.Module, inputs: Tensor) -> Tensor:
    found: Tensor = module(inputs)
    return found
