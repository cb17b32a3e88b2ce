"""The curves of a run, from its trace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdbench.records.trace import Trace
from kdbench.reports.plots.model import Axis, Line, Number, Panel

OF_WEIGHTS = ("weights: ", "entropy")
TITLES = {
    "Loss": ("loss", "task"),
    "Weight of each teacher": ("weights: ",),
    "Entropy of the weights, nats": ("entropy",),
    "Cosine between the teachers' gradients": ("cosines: ",),
}


@dataclass(frozen=True)
class Curves:
    """Panels, and all columns for the table below them, which has the strategy's own figures too."""

    steps: list[int]
    panels: list[Panel]
    columns: dict[str, list[Number]]


def trace_curves(trace: Trace) -> Curves | None:
    """None if there is nothing to draw. With fewer than two teachers there are no weights to look at."""
    if not trace.step:
        return None
    columns: dict[str, list[Number]] = {}
    for name, column in _flat(trace):
        if column and (len(trace.weights) > 1 or not name.startswith(OF_WEIGHTS)):
            columns[name] = [value if value is not None and math.isfinite(value) else None for value in column]
    x = tuple(map(float, trace.step))
    panels = []
    for title, prefix in TITLES.items():
        drawn = {name.removeprefix(prefix[0]) or name: columns[name] for name in columns if name.startswith(prefix)}
        if drawn:
            lines = tuple(Line(name, x, tuple(column), place=place) for place, (name, column) in enumerate(drawn.items()))
            panels.append(Panel(Axis("step"), Axis(), title=title, lines=lines))
    return Curves(trace.step, panels, columns)


def _flat(trace: Trace) -> Iterator[tuple[str, Sequence[Number]]]:
    for name in type(trace).model_fields:
        found = getattr(trace, name)
        if isinstance(found, dict):
            for key, column in found.items():
                yield f"{name}: {key}", column
        elif name != "step":
            yield name, found
