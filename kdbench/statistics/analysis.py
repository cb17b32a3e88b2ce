"""One family's rows analysed: intervals, tests of every pair, ranks and tie groups, as values that processes can share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.reports.board import Measured, Value
from kdbench.statistics.cells import Cell, Row, cell_of
from kdbench.statistics.crossed import LEVEL, lone_half_width, mean_squares
from kdbench.statistics.groups import bold_rows, rank_intervals, tie_groups
from kdbench.statistics.pairs import corrected_p, difference
from kdbench.statistics.units import Units

UNTESTED = "rows that share no seed were not tested against each other, and tie"


@dataclass(frozen=True)
class Standing:
    """A row: where it stood among those given, the run ids it counts, its metrics in percent, the ranks `first` to `last` it
    may have, its tie group from 1, whether it is bold."""

    place: int
    run_ids: tuple[str, ...]
    values: dict[str, Value]
    first: int
    last: int
    group: int
    bold: bool


@dataclass(frozen=True)
class Analysis:
    """Rows best RSUM first."""

    standings: list[Standing]
    corrected: NDArray[np.float64]  # [R, R] Holm-corrected p-values of RSUM, in the order of standings; NaN where untested
    better: NDArray[np.bool_]  # [R, R] whether row i has surely a higher RSUM than row j
    refused: list[str]  # runs left out, as their ranks are unusable
    notes: list[str]


def analyse(rows: Sequence[Sequence[Measured]], units: Units) -> Analysis:
    """`rows` are the runs of each row over its seeds. A row of which no run is usable is left out."""
    refused: list[str] = []
    kept: list[tuple[float, int, tuple[str, ...], Row, dict[str, Value]]] = []
    for place, runs in enumerate(rows):
        cell = _usable(runs, units, refused)
        if cell is not None:
            # Of its ranks and metrics no more is held than the pairs' tests need: boards have thousands of runs.
            row = Row(cell.seeds, cell.contributions["rsum"], cell.trained)
            kept.append((float(row.values.mean()), place, tuple(run.record.run_id for run in cell.runs), row, _values(cell)))
    kept.sort(key=lambda one: (-one[0], rows[one[1]][0].record.cell_id))
    ordered = [one[3] for one in kept]
    corrected = corrected_p(ordered)
    better = (corrected < LEVEL) & _ahead(ordered)
    tied = tie_groups(better)
    standings = [
        Standing(place, run_ids, values, first, last, group, bold)
        for (_, place, run_ids, _, values), (first, last), group, bold in zip(
            kept, rank_intervals(better), tied, bold_rows(better, tied), strict=True
        )
    ]
    notes = [*([units.note] if units.note else []), *([UNTESTED] if np.isnan(corrected).any() else [])]
    return Analysis(standings, corrected, better, refused, notes)


def _usable(runs: Sequence[Measured], units: Units, refused: list[str]) -> Cell | None:
    try:
        return cell_of(runs, units)
    except RecordError:
        pass  # which of its runs it is
    fine = []
    for run in runs:
        try:
            cell_of([run], units)
            fine.append(run)
        except RecordError as error:
            refused.append(f"{run.record.label}: left out: {error}")
    if len(fine) == len(runs):
        return cell_of(runs, units)  # it is their company, and worth telling
    return cell_of(fine, units) if fine else None


def _ahead(rows: Sequence[Row]) -> NDArray[np.bool_]:
    """[R, R] whether row i has the higher RSUM, on the seeds that a pair shares."""
    means = np.array([row.values.mean() for row in rows])
    ahead: NDArray[np.bool_] = means[:, None] > means
    if len({row.seeds for row in rows}) > 1:
        for i, j in combinations(range(len(rows)), 2):
            between = difference(rows[i], rows[j]).values
            ahead[i, j] = bool(between.size) and between.mean() > 0
            ahead[j, i] = bool(between.size) and between.mean() < 0
    return ahead


def _values(cell: Cell) -> dict[str, Value]:
    squares = mean_squares(np.array(list(cell.contributions.values())))
    shown = zip(cell.contributions, squares.mean.tolist(), lone_half_width(squares).tolist(), strict=True)
    return {metric: Value(mean, mean - half, mean + half) for metric, mean, half in shown}
