"""When a run began, and when it ended by a clock that nobody sets: a clock set back ends no run before its start."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


def _steady() -> float:
    """Seconds of a clock that only goes forward; on Linux, also while the computer sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True)
class Began:
    """The moment at which it is made."""

    wall: float = field(default_factory=time.time)  # seconds since the epoch
    steady: float = field(default_factory=_steady)

    @property
    def started(self) -> str:
        """In UTC, in the format of records."""
        return _utc(self.wall)

    @property
    def finished(self) -> str:
        """The start and the seconds that have passed since, in the same format."""
        return _utc(self.wall + max(0.0, _steady() - self.steady))


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
