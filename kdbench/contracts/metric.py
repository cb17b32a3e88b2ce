"""A metric, declared once by its task and known to nobody else by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What a task measures on a split.

    Records store `name` with the raw value; tables, tests and figures show `scale` times that value in `unit` under `label`.
    Exactly one metric of a task is its `headline`: validation selects by it, tables rank by it. `best` is the raw value of a
    flawless model, `worst` that of the worst possible one (None: unbounded). `priority` is higher for columns that stay longer
    in a narrow terminal; `shown` is false for metrics kept in records only. `group` joins metrics that share a chart.
    `meaning` is one sentence for readers.
    """

    name: str
    label: str
    unit: str = ""
    scale: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    best: float | None = None
    worst: float | None = None
    decimals: int = 1
    priority: int = 0
    shown: bool = True
    group: str = ""
    meaning: str = ""

    def better(self, one: float, other: float) -> bool:
        """Whether the raw or shown value `one` is better than `other`; neither is where they are equal or NaN."""
        return one > other if self.higher_is_better else one < other

    def gain(self, one: float, other: float) -> float:
        """By how much `one` is better than `other`, in their unit; negative where it is worse."""
        return one - other if self.higher_is_better else other - one

    def text(self, shown: float) -> str:
        """A shown value with its decimals, without its unit."""
        return f"{shown:.{self.decimals}f}"
