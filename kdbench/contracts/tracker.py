"""Trackers, which follow runs, and the progress they receive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Tracker(Protocol):
    """Follows runs: implements any of the hooks `kdbench_run_started`, `kdbench_progress`, `kdbench_epoch_finished` and
    `kdbench_run_finished` with `@hookimpl`. Each `kdbench run --track NAME` builds its own instance."""


@dataclass
class Progress:
    """The progress of a run, passed to the progress hook about twice a second."""

    run_id: str
    stage: str  # such as "train" or "encode lite0"
    done: int
    total: int
    loss: float | None = None
    weights: dict[str, float] = field(default_factory=dict)  # by teacher name
