"""What each row of a regime gains over equal weights of the same teachers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from kdbench.contracts import Metric
from kdbench.records.measured import Measured
from kdbench.reports.board import Row, Table
from kdbench.reports.verdict import is_baseline, is_oracle
from kdbench.statistics.cells import Cell
from kdbench.statistics.comparable import comparable, estimate_difference
from kdbench.statistics.components import components_of
from kdbench.statistics.pair_tests import difference
from kdbench.statistics.splits import UnitsByDigest, split_of

Finding = Literal["better", "worse", "equivalent", "undecided", "untested"]


@dataclass(frozen=True)
class Gain:
    """A row against equal weights of the same teachers, positive where the row is better.

    `mean` with its 95 % interval, of this pair alone, is in the headline's shown unit; `found` is what the table's test says,
    which is corrected for all pairs and looks. `by_metric` holds the same mean for each metric with a margin, `detectable` the
    smallest difference that the pair's seeds find with 80 % power at 5 % (empty with a single seed).
    """

    row: Row
    label: str  # the strategy; of a row without one, what it has instead; with the team if its table has several
    mean: float
    low: float
    high: float
    found: Finding
    by_metric: Mapping[str, float]
    detectable: Mapping[str, float]


@dataclass(frozen=True)
class Regime:
    """A regime's table, with the gains of its rows but that of equal weights, best first."""

    name: str
    table: Table
    gains: tuple[Gain, ...]

    @property
    def headline(self) -> Metric:
        """The metric that gains are of."""
        return self.table.headline

    @property
    def tested(self) -> bool:
        """Whether its rows have been tested: of a race, whether its first look has been."""
        return self.table.verdict.case != "untested"

    @property
    def runs(self) -> int:
        """The runs behind its rows."""
        return sum(len(row.runs) for row in self.table.rows)

    @property
    def seconds(self) -> float:
        """What these take on a machine that does nothing else, in seconds of one process: the median of a row for each run."""
        return sum(len(row.runs) * statistics.median(map(_seconds, row.runs)) for row in self.table.rows)

    def resolves(self, metric: Metric) -> float | None:
        """The smallest difference from equal weights that half of its strategies with two seeds or more find; None without."""
        known = [gain.detectable[metric.name] for gain in self.weightings if metric.name in gain.detectable]
        return statistics.median(known) if known else None

    @property
    def weightings(self) -> list[Gain]:
        """Gains of strategies, without single teachers and no distillation."""
        return [gain for gain in self.gains if gain.row.strategy]

    @property
    def usable(self) -> list[Gain]:
        """Those of strategies that anybody can use: not of weights that somebody was told."""
        return [gain for gain in self.weightings if not is_oracle(gain.row)]


def _seconds(run: Measured) -> float:
    return sum(run.record.timings.get(part, 0.0) for part in ("train", "evaluate"))


def regimes(tables: Iterable[Table], units: UnitsByDigest) -> list[Regime]:
    """The regimes among tables that have rows to compare with equal weights, in the order of tables.

    Rows of a team are compared with equal weights of it, those of fewer teachers with equal weights of the largest team; rows
    that share no seed with these are left out. Raises RecordError if what a row's runs stored is unusable.
    """
    found = []
    for table in tables:
        if table.protocol.regime and table.looks:
            gains = [gain for place in range(len(table.rows)) if (gain := _gain(table, place, units))]
            if gains:
                found.append(Regime(table.protocol.regime, table, tuple(sorted(gains, key=lambda gain: -gain.mean))))
    return found


def maps(found: Iterable[Regime]) -> list[list[Regime]]:
    """Regimes that differ in nothing but their situation, together: one map, and one paragraph, for each."""
    grouped: dict[str, list[Regime]] = {}
    for one in found:
        grouped.setdefault(one.table.protocol.replace(regime="").id, []).append(one)
    return list(grouped.values())


def _gain(table: Table, place: int, units: UnitsByDigest) -> Gain | None:
    row = table.rows[place]
    bases = {one.team: at for at, one in enumerate(table.rows) if is_baseline(one)}
    team = row.team if len(row.team) > 1 else max(bases, key=len, default=())
    base = bases.get(team)
    if base is None or base == place or not set(row.seeds) & set(table.rows[base].seeds):
        return None
    equal = table.rows[base]
    a, b = comparable(row.runs, equal.runs, split_of([*row.runs, *equal.runs], units)[1])
    metric = table.headline
    estimate = estimate_difference(a, b, metric.name)
    low, high = sorted(metric.gain(end, 0.0) for end in (estimate.low, estimate.high))
    told = [one for one in table.metrics if one.margin]
    return Gain(
        row,
        _label(row, several=len({one.team for one in table.rows if len(one.team) > 1}) > 1),
        metric.gain(estimate.mean, 0.0),
        low,
        high,
        _found(table, place, base),
        {one.name: one.gain(estimate_difference(a, b, one.name).mean, 0.0) for one in told},
        {one.name: found for one in told if (found := _detectable(a, b, one.name))},
    )


def _label(row: Row, several: bool) -> str:
    if not row.strategy:
        return "single teacher" if row.team else "no distillation"
    return f"{row.strategy} of {row.teachers}" if several else row.strategy


def _found(table: Table, place: int, base: int) -> Finding:
    if table.verdict.case == "untested":
        return "untested"
    if table.better[place, base]:
        return "better"
    if table.better[base, place]:
        return "worse"
    return "equivalent" if table.looks and table.looks.alike[place, base] else "undecided"


def _detectable(a: Cell, b: Cell, metric: str) -> float:
    between = difference(a.scores(metric), b.scores(metric))
    if len(between.seeds) < 2:
        return 0.0
    return components_of(between).detectable(*between.values.shape)
