"""Rows, each against each: by how much it is better, and what was found once all pairs are accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdbench.contracts import Metric
from kdbench.records.reading import Reading
from kdbench.reports import Row
from kdbench.statistics.cells import cell_of
from kdbench.statistics.comparable import estimate_difference
from kdbench.statistics.looks import look_once
from kdbench.statistics.splits import split_of

Finding = Literal["significantly better", "significantly worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Gain:
    """By how much one row is better than another, in the metric's shown unit, with its 95 % interval, of this pair alone;
    `found` is corrected for all pairs of rows."""

    mean: float
    low: float
    high: float
    found: Finding


class Compared:
    """Rows, best first, and the gain of each over each; `metric` is their primary one by default, and with another one nothing
    is equivalent.

    Raises KdbenchError if they were evaluated on different test splits.
    """

    def __init__(self, found: Reading, rows: Sequence[Row], metric: Metric | None = None) -> None:
        self.metric: Metric = metric or rows[0].headline
        self.margin = rows[0].runs[0].margin if self.metric == rows[0].headline else 0.0
        sign = 1 if self.metric.higher_is_better else -1
        self.rows = sorted(rows, key=lambda row: -sign * row.value.mean)
        runs = [run for row in self.rows for run in row.runs]
        self._cells = [cell_of(row.runs, *split_of(runs, found.units)) for row in self.rows]
        scores = [one.scores(self.metric.name) for one in self._cells]
        self._looks = look_once(scores, self.margin, self.metric.higher_is_better)
        self._places = {row.spec.cell_label: place for place, row in enumerate(self.rows)}

    def __contains__(self, label: object) -> bool:
        return label in self._places

    def gain(self, label: str, base: str) -> Gain:
        """Of the row with a `RunSpec.cell_label`, over another one."""
        one, other = self._places[label], self._places[base]
        estimate = estimate_difference(self._cells[one], self._cells[other], self.metric.name)
        low, high = sorted(self.metric.gain(end, 0.0) for end in (estimate.low, estimate.high))
        return Gain(self.metric.gain(estimate.mean, 0.0), low, high, self._found(one, other))

    def _found(self, one: int, other: int) -> Finding:
        if self._looks.better[one, other]:
            return "significantly better"
        if self._looks.better[other, one]:
            return "significantly worse"
        return "equivalent" if self._looks.alike[one, other] else "undecided"
