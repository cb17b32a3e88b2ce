"""What a record states of its training beside the test split's arrays, compared with the same run trained again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import counted
from kdbench.records.record import Record
from kdbench.records.trace import Trace

ABSOLUTE, RELATIVE = 2e-6, 1e-5  # traces are rounded to six digits
NAMED = 6  # columns of a trace, before the rest are counted


def other_figures(record: Record, again: Record) -> list[str]:
    """Validation figures, weights, dynamics, best epoch and steps that differ, one clause each."""
    found = []
    for block in ("validation", "weights", "dynamics"):
        old, new = getattr(record, block), getattr(again, block)
        found += [
            f"{block}.{name}: recorded as {old[name]:.6g}, now {_shown(new.get(name))}"
            for name in old
            if name not in new or not _close(old[name], new[name])
        ]
    pairs = {name: (getattr(record, name), getattr(again, name)) for name in ("best_epoch", "steps")}
    return found + [f"{name}: recorded as {old}, now {new}" for name, (old, new) in pairs.items() if old != new]


def other_trace(recorded: Trace, again: Trace) -> list[str]:
    """Columns of the traces that differ, one clause each: where first, and by how much. Older traces have fewer columns, and
    only those that both have count."""
    if not recorded.step or not again.step:
        return []
    if recorded.step != again.step:
        windows = [f"{counted(len(trace.step), 'window')} to step {trace.step[-1]}" for trace in (recorded, again)]
        return [f"trace: recorded {windows[0]}, now {windows[1]}"]
    new = dict(_columns(again))
    told = [
        f"trace.{name}: {_apart(recorded.step, old, new[name])}"
        for name, old in _columns(recorded)
        if name in new and not _close(old, new[name])
    ]
    more = [f"trace: {counted(len(told) - NAMED, 'more column')} differ"] if len(told) > NAMED else []
    return [*told[:NAMED], *more]


def _columns(trace: Trace) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for name, column in trace.model_dump(exclude={"step"}).items():
        parts: dict[str, Any] = column if isinstance(column, dict) else {"": column}
        for part, values in parts.items():
            if values:
                yield f"{name}.{part}" if part else name, np.array(values, dtype=np.float64)  # None becomes NaN


def _apart(steps: list[int], old: NDArray[np.float64], new: NDArray[np.float64]) -> str:
    differing = ~np.isclose(old, new, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    first = int(np.argmax(differing))
    where = f"first to step {steps[first]}, recorded as {old[first]:.6g}, now {new[first]:.6g}"
    most = np.abs(old - new)[differing].max()
    return f"other in {int(differing.sum())} of {counted(len(old), 'window')}, {where}; by at most {most:.2g}"


def _close(old: Any, new: Any) -> bool:
    return bool(np.isclose(old, new, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True).all())


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
