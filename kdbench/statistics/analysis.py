"""The rows of one family analysed: intervals, tests of every pair, ranks and tie groups, as values that processes can share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError, counted
from kdbench.records.measured import Measured
from kdbench.statistics.cells import Cell, Scores, cell_of, check_run, complete
from kdbench.statistics.crossed import MeanSquares, half_width, lone_half_width, mean_squares
from kdbench.statistics.deciding import more_seeds
from kdbench.statistics.folds import ONE_SEED as ONE_SEED_IN_FOLDS
from kdbench.statistics.folds import fold_squares
from kdbench.statistics.looks import Looks, look_at, look_once
from kdbench.statistics.splits import Sizes, SplitUnits
from kdbench.statistics.tie_groups import bold_rows, rank_intervals, tie_groups
from kdbench.statistics.value import Value

UNTESTED = "rows without a common seed were not tested against each other, and tie"


@dataclass(frozen=True)
class RankedRow:
    """A row: its index among those given, the runs it counts, its metrics in shown units, the possible ranks `first` to
    `last`, its tie group from 1, whether it is bold, and in cross-validation the number of test units of each fold."""

    index: int
    run_ids: tuple[str, ...]
    values: dict[str, Value]
    first: int
    last: int
    group: int
    bold: bool
    folds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """Rows with the best mean of the headline first.

    `looks` holds what tests of the headline found, in the order of `ranked`: the pairs' p-values, which row is significantly
    better than which, which are equivalent within `margin` (0: none is stated), and of a race why each row stopped. About
    `more_seeds` would decide what is undecided about the best row (see `deciding.more_seeds`). `refused` names the runs
    left out because what they stored is unusable.
    """

    ranked: list[RankedRow]
    looks: Looks
    margin: float
    more_seeds: float | None
    refused: list[str]
    notes: list[str]

    @property
    def corrected(self) -> NDArray[np.float64]:
        """[R, R] Holm-corrected p-values, NaN where untested."""
        return self.looks.corrected

    @property
    def better(self) -> NDArray[np.bool_]:
        """[R, R] whether row i is significantly better than row j."""
        return self.looks.better


def analyse(rows: Sequence[Sequence[Measured]], sizes: Sizes, units: SplitUnits = None) -> Analysis:
    """`rows` are the runs of each row over its seeds and folds; a row without any usable run is left out. A seed counts once
    all its folds are there. `sizes` and `units` are those of the test split, or of each fold (`splits.split_of`).

    Raises RecordError if runs are unusable only together, KdbenchError if `units` do not fit `sizes`.
    """
    headline = rows[0][0].task.headline
    refused: list[str] = []
    kept: list[tuple[int, tuple[str, ...], Scores, dict[str, Value]]] = []
    note, waiting = "", 0
    for index, runs in enumerate(rows):
        unusable = len(refused)
        cell = _usable(runs, sizes, units, refused)
        waiting += len(runs) - (len(cell.runs) if cell else 0) - (len(refused) - unusable)
        if cell is not None:
            # No more of a cell is held than the pairs' tests need: boards have thousands of runs.
            run_ids = tuple(run.record.run_id for run in cell.runs)
            kept.append((index, run_ids, cell.scores(headline.name), _values(cell)))
            note = note or cell.contributions.note
    if waiting:
        wait = f"{counted(waiting, 'run')} wait{'s' if waiting == 1 else ''}"
        refused.append(f"{rows[0][0].record.spec.dataset.name}: {wait}: a seed counts once all its folds have records")
    sign = -1 if headline.higher_is_better else 1
    # Equal means, such as of a teacher evaluated in two suites, are ordered by the ids that their records hold.
    kept.sort(key=lambda one: (sign * float(one[2].values.mean()), min(run.record.cell_id for run in rows[one[0]])))
    ordered = [one[2] for one in kept]
    if len({scores.values.shape[1] for scores in ordered}) > 1:
        raise RecordError(f"rows of {rows[0][0].record.spec.dataset.name} have different numbers of test units")
    protocol = rows[0][0].protocol
    margin = rows[0][0].margin
    if protocol.raced:
        race, higher = protocol.raced, headline.higher_is_better
        looks = look_at(ordered, race.seeds_at_looks, margin, higher, futility=race.futility)
    else:
        looks = look_once(ordered, margin, headline.higher_is_better)
    better = looks.better
    groups = tie_groups(better)
    ranked = [
        RankedRow(index, run_ids, values, first, last, group, bold, scores.folds)
        for (index, run_ids, scores, values), (first, last), group, bold in zip(
            kept, rank_intervals(better), groups, bold_rows(better, groups), strict=True
        )
    ]
    untested = not protocol.raced and np.isnan(looks.corrected).any()
    single = any(scores.folds and scores.trained and len(scores.seeds) == 1 for scores in ordered)
    notes = [*([note] if note else []), *([UNTESTED] if untested else []), *([ONE_SEED_IN_FOLDS] if single else [])]
    return Analysis(ranked, looks, margin, more_seeds(ordered, looks, margin), refused, notes)


def _usable(runs: Sequence[Measured], sizes: Sizes, units: SplitUnits, refused: list[str]) -> Cell | None:
    """The cell of the usable runs; None if there is none, or no seed with all its folds."""
    whole = complete(runs)
    try:
        return cell_of(whole, sizes, units) if whole else None
    except RecordError:
        pass  # find out which of its runs are unusable
    fine = []
    for run in whole:
        try:
            check_run(run, sizes, units)
            fine.append(run)
        except RecordError as error:
            refused.append(f"{run.record.spec.label}: left out: {error}")
    if len(fine) == len(whole):
        return cell_of(whole, sizes, units)  # raises: they do not fit together
    fine = complete(fine)
    return cell_of(fine, sizes, units) if fine else None


def _values(cell: Cell) -> dict[str, Value]:
    every = np.array(list(cell.contributions.values.values()))
    squares: MeanSquares = fold_squares(every, cell.folds) if cell.folds else mean_squares(every)
    halves = (half_width if cell.folds else lone_half_width)(squares)
    shown = zip(cell.contributions.values, squares.mean.tolist(), halves.tolist(), strict=True)
    return {metric: Value(mean, mean - half, mean + half) for metric, mean, half in shown}
