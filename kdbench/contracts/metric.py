"""A metric. Its task declares it once; no other code knows it by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric of a task.

    Records store `name` with the raw value; tables, tests and figures show `scale` times that value in `unit` under `label`.
    Exactly one metric of a task is its `headline`: validation selects by it and tables are sorted by it. `best` and `worst`
    are the raw values of a perfect and of the worst possible model (None: unbounded). In a narrow terminal, columns of lower
    `priority` are dropped first; `shown` is false for metrics kept in records only. Metrics of one `group` are drawn in one
    chart. `meaning` explains the metric in one sentence. Records of a metric that is not `required` may lack it: they were
    written before the task had it, and its figures follow from their arrays. `inverse` turns a shown value, such as a mean of
    logarithms, back into a quantity that people know, `inverse_label`. Rows that differ by less than `margin`, in shown units,
    are as good as each other unless a suite states another (0: none is stated).
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
    required: bool = True
    inverse: Callable[[float], float] | None = None
    inverse_label: str = ""
    margin: float = 0.0

    @property
    def head(self) -> str:
        """Its label with its unit, as at the head of a column: `t2i R@1 (%)`."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`, both raw or both shown. False if they are equal or one is NaN."""
        return one > other if self.higher_is_better else one < other

    def gain(self, one: float, other: float) -> float:
        """By how much `one` is better than `other`, in their unit; negative if it is worse."""
        return one - other if self.higher_is_better else other - one

    def text(self, shown: float) -> str:
        """Formats a shown value to the metric's decimals, without the unit."""
        return f"{shown:.{self.decimals}f}"

    def aside(self, shown: float) -> str:
        """The quantity behind a shown value, such as `rank 4.2`; empty without an inverse."""
        return f"{self.inverse_label} {self.inverse(shown):.1f}" if self.inverse else ""
