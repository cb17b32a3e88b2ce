"""The rows of one family analysed: intervals, tests of every pair, ranks and tie groups, as values that processes can share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.statistics.cells import Cell, Scores, Units, cell_of
from kdbench.statistics.crossed import LEVEL, lone_half_width, mean_squares
from kdbench.statistics.pair_tests import corrected_p, difference
from kdbench.statistics.tie_groups import bold_rows, rank_intervals, tie_groups
from kdbench.statistics.value import Value

UNTESTED = "rows without a common seed were not tested against each other, and tie"


@dataclass(frozen=True)
class RankedRow:
    """A row: its index among those given, the runs it counts, its metrics in shown units, the possible ranks `first` to
    `last`, its tie group from 1, and whether it is bold."""

    index: int
    run_ids: tuple[str, ...]
    values: dict[str, Value]
    first: int
    last: int
    group: int
    bold: bool


@dataclass(frozen=True)
class Analysis:
    """Rows with the best mean of the headline first.

    `corrected` [R, R] holds Holm-corrected p-values of the headline, NaN where untested; `better` [R, R] says whether row i is
    significantly better than row j. Both are in the order of `ranked`. `refused` names the runs left out because what they
    stored is unusable.
    """

    ranked: list[RankedRow]
    corrected: NDArray[np.float64]
    better: NDArray[np.bool_]
    refused: list[str]
    notes: list[str]


def analyse(rows: Sequence[Sequence[Measured]], sizes: Mapping[str, int], units: Units | None = None) -> Analysis:
    """`rows` are the runs of each row over its seeds; a row without any usable run is left out.

    Raises RecordError if runs are unusable only together, KdbenchError if `units` do not fit `sizes`.
    """
    headline = rows[0][0].task.headline
    refused: list[str] = []
    kept: list[tuple[int, tuple[str, ...], Scores, dict[str, Value]]] = []
    note = ""
    for index, runs in enumerate(rows):
        cell = _usable(runs, sizes, units, refused)
        if cell is not None:
            # No more of a cell is held than the pairs' tests need: boards have thousands of runs.
            run_ids = tuple(run.record.run_id for run in cell.runs)
            kept.append((index, run_ids, cell.scores(headline.name), _values(cell)))
            note = note or cell.contributions.note
    sign = -1 if headline.higher_is_better else 1
    # Equal means, such as of a teacher evaluated in two suites, are ordered by the ids that their records hold.
    kept.sort(key=lambda one: (sign * float(one[2].values.mean()), min(run.record.cell_id for run in rows[one[0]])))
    ordered = [one[2] for one in kept]
    if len({scores.values.shape[1] for scores in ordered}) > 1:
        raise RecordError(f"rows of {rows[0][0].record.spec.dataset.name} have different numbers of test units")
    corrected = corrected_p(ordered)
    better = (corrected < LEVEL) & _ahead(ordered, headline)
    groups = tie_groups(better)
    ranked = [
        RankedRow(index, run_ids, values, first, last, group, bold)
        for (index, run_ids, _, values), (first, last), group, bold in zip(
            kept, rank_intervals(better), groups, bold_rows(better, groups), strict=True
        )
    ]
    notes = [*([note] if note else []), *([UNTESTED] if np.isnan(corrected).any() else [])]
    return Analysis(ranked, corrected, better, refused, notes)


def _usable(runs: Sequence[Measured], sizes: Mapping[str, int], units: Units | None, refused: list[str]) -> Cell | None:
    try:
        return cell_of(runs, sizes, units)
    except RecordError:
        pass  # find out which of its runs are unusable
    fine = []
    for run in runs:
        try:
            cell_of([run], sizes, units)
            fine.append(run)
        except RecordError as error:
            refused.append(f"{run.record.spec.label}: left out: {error}")
    if len(fine) == len(runs):
        return cell_of(runs, sizes, units)  # raises: they do not fit together
    return cell_of(fine, sizes, units) if fine else None


def _ahead(rows: Sequence[Scores], headline: Metric) -> NDArray[np.bool_]:
    """[R, R] whether row i has the better mean, on the seeds that a pair shares."""
    sign = 1 if headline.higher_is_better else -1
    means = sign * np.array([row.values.mean() for row in rows])
    ahead: NDArray[np.bool_] = means[:, None] > means
    if len({row.seeds for row in rows}) > 1:
        for i, j in combinations(range(len(rows)), 2):
            between = sign * difference(rows[i], rows[j]).values
            ahead[i, j] = bool(between.size) and between.mean() > 0
            ahead[j, i] = bool(between.size) and between.mean() < 0
    return ahead


def _values(cell: Cell) -> dict[str, Value]:
    squares = mean_squares(np.array(list(cell.contributions.values.values())))
    shown = zip(cell.contributions.values, squares.mean.tolist(), lone_half_width(squares).tolist(), strict=True)
    return {metric: Value(mean, mean - half, mean + half) for metric, mean, half in shown}
