"""How a trial ended."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.records.study_summary import State


@dataclass(frozen=True)
class Ending:
    """`values` by goal, of a complete trial's best epoch; a `reason` of any other state; `seconds` of training."""

    state: State
    values: tuple[float, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    best_epoch: int | None = None
