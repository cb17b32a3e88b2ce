"""Records to families of comparable rows with intervals, tests of every pair, ranks and tie groups."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError, nearest
from kdbench.leaderboard.statistics.cells import Cell, cell_of
from kdbench.leaderboard.statistics.crossed import LEVEL, ONE_SEED, Estimate, estimate
from kdbench.leaderboard.statistics.groups import bold_rows, rank_intervals, tie_groups
from kdbench.leaderboard.statistics.measured import Measured
from kdbench.leaderboard.statistics.pairs import corrected_p, difference
from kdbench.leaderboard.statistics.units import units_of

Given = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Standing:
    """A row: its metrics in percent, the ranks `first` to `last` it may have, its tie group from 1, whether it is bold."""

    cell: Cell
    values: dict[str, Estimate]
    first: int
    last: int
    group: int
    bold: bool


@dataclass(frozen=True)
class Family:
    """Rows of one student on one test split, under one protocol and sample budget, best RSUM first."""

    digest: str
    student: str
    standings: list[Standing]
    corrected: NDArray[np.float64]  # [R, R] Holm-corrected p-values of RSUM, in the order of standings; NaN where untested
    notes: list[str]

    def place(self, cell_id: str) -> int:
        """Raises KdbenchError where there is no such row."""
        ids = [standing.cell.id for standing in self.standings]
        if cell_id not in ids:
            raise KdbenchError(f"no row {cell_id!r} of {self.student}; {nearest(cell_id, ids)}")
        return ids.index(cell_id)

    def difference(self, a: str, b: str, metric: str = "rsum") -> Estimate:
        """Of a − b on the seeds they share, of this pair alone. Raises KdbenchError where they share none."""
        first, second = (self.standings[self.place(one)].cell for one in (a, b))
        return estimate_difference(first, second, metric)

    def better(self, a: str, b: str) -> bool:
        """Whether a has surely a higher RSUM than b: the corrected p-value is below .05."""
        i, j = self.place(a), self.place(b)
        return bool(self.corrected[i, j] < LEVEL and self.difference(a, b).mean > 0)


def estimate_difference(a: Cell, b: Cell, metric: str = "rsum") -> Estimate:
    """Of a − b on the seeds they share. Raises KdbenchError where they share none."""
    between = difference(a.row(metric), b.row(metric))
    if not between.seeds:
        raise KdbenchError(f"{a.label} (seeds {_list(a)}) and {b.label} (seeds {_list(b)}) share no seed: nothing is paired")
    return estimate(between.values, between.trained)


def families(runs: Iterable[Measured], units: Given | None = None) -> list[Family]:
    """Rows join a family where dataset digest, protocol, student and sample budget agree. Smoke runs are not counted.

    `units` are those of the test split's images [N] and captions [M], as `units_of` takes them. References, which are not
    trained, are of no student's family: each is its own, with intervals and no tests.
    """
    groups: dict[str, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for one in runs:
        if not one.record.spec.get("smoke") and one.record.status == "ok":
            groups[_comparable(one)][one.record.cell_id].append(one)
    return [_family(list(group.values()), units) for _, group in sorted(groups.items())]


def _comparable(one: Measured) -> str:
    record = one.record
    train = record.spec["train"]
    budget = [train.get("epochs"), train.get("batch_size"), record.steps]
    return json.dumps([record.dataset_digest, one.recall_at, record.spec["student"], budget], sort_keys=True)


def _family(rows: list[list[Measured]], given: Given | None) -> Family:
    record = rows[0][0].record
    units = units_of(record.sizes, given)
    cells = sorted((cell_of(row, units) for row in rows), key=lambda cell: (-cell.contributions["rsum"].mean(), cell.id))
    corrected = corrected_p([cell.row() for cell in cells])
    better = np.zeros(corrected.shape, dtype=bool)
    for i, j in combinations(range(len(cells)), 2):
        if corrected[i, j] < LEVEL:
            ahead = difference(cells[i].row(), cells[j].row()).values.mean() > 0
            better[(i, j) if ahead else (j, i)] = True
    tied = tie_groups(better)
    shown = zip(cells, rank_intervals(better), tied, bold_rows(better, tied), strict=True)
    standings = [
        Standing(
            cell,
            {metric: estimate(values, cell.trained) for metric, values in cell.contributions.items()},
            first,
            last,
            group,
            bold,
        )
        for cell, (first, last), group, bold in shown
    ]
    notes = [units.note] if units.note else []
    alone = [cell.label for cell in cells if cell.trained and len(cell.seeds) == 1]
    notes += [f"{label}: {ONE_SEED}" for label in alone]
    if np.isnan(corrected).any():
        notes.append("rows that share no seed were not tested against each other, and tie")
    return Family(record.dataset_digest or "", record.spec["student"]["name"], standings, corrected, notes)


def _list(cell: Cell) -> str:
    return ", ".join(map(str, cell.seeds))
