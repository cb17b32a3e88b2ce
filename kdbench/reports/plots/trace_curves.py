"""The curves of a run, from its series (`kdbench.training.trace`): what is no column of figures is left out and named."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kdbench.reports.site.plots import Figure, curves

Column = list[float | None]


@dataclass(frozen=True)
class Curves:
    """Plots by title, and all columns for the table below them, which has the strategy's own figures too."""

    steps: Column
    plots: dict[str, Figure]
    columns: dict[str, Column]
    left_out: list[str]


def curves_of(series: dict[str, Any]) -> Curves | None:
    """None where there is nothing to draw."""
    steps = _column(series.get("step"))
    if not steps:
        return None
    columns: dict[str, Column] = {}
    left_out = []
    for name, column in _flat(series):
        figures = _column(column)
        if figures is not None and len(figures) == len(steps):
            columns[name] = figures
        else:
            left_out.append(name)
    plots = {}
    for title, prefix in (
        ("Loss", ("loss", "task")),
        ("Weight of each teacher", ("weights: ",)),
        ("Entropy of the weights, nats", ("entropy",)),
        ("Cosine between the teachers' gradients", ("cosines: ",)),
    ):
        drawn = {name.removeprefix(prefix[0]) or name: columns[name] for name in columns if name.startswith(prefix)}
        if drawn:
            plots[title] = curves(steps, drawn)
    return Curves(steps, plots, columns, left_out)


def _flat(series: dict[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for name, column in series.items():
        if isinstance(column, dict):
            found += [(f"{name}: {key}", value) for key, value in column.items()]
        elif name != "step":
            found.append((name, column))
    return found


def _column(values: Any) -> Column | None:
    """Figures and gaps, or None for anything else; what is not finite is a gap, for JSON has no other way to say so."""
    if not isinstance(values, list):
        return None
    if not all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return None
    return [value if value is not None and math.isfinite(value) else None for value in values]
