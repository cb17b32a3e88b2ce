"""A metric of a row as it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """A mean over seeds with its 95 % interval over seeds and test units, in shown units (see `Metric`)."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the interval's width: it is symmetric."""
        return (self.high - self.low) / 2
