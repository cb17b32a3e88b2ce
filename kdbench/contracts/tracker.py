"""Who is told what happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Tracker(Protocol):
    """Told what happens: implements any of the hooks `kdbench_run_started`, `kdbench_progress`, `kdbench_epoch_finished`
    and `kdbench_run_finished` with `@hookimpl`. One instance serves one `kdbench run` that asks for it."""


@dataclass
class Progress:
    """Where a run is, as the progress hook is told it about twice a second."""

    run_id: str
    stage: str  # what is being done, say "train" or "encode lite0"
    done: int
    total: int
    loss: float | None = None
    weights: dict[str, float] = field(default_factory=dict)  # by teacher name
