"""A cell over its seeds and folds, as contributions whose mean is its metrics: one for each seed and test unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Contributions
from kdbench.errors import RecordError
from kdbench.records.measured import Measured
from kdbench.statistics.crossed import Estimate, MeanSquares, estimate, mean_squares
from kdbench.statistics.folds import estimate_in_folds, fold_squares
from kdbench.statistics.splits import ByFold, Sizes, SplitUnits, Units

Floats = NDArray[np.float64]

__all__ = ["Cell", "Floats", "Scores", "Units", "cell_of", "check_run", "complete"]


@dataclass(frozen=True)
class Scores:
    """Contributions of one metric: `values` [S, U] for the `seeds`, in shown units. An untrained cell fits any seed.

    `folds` are the numbers of units in each fold, in their order in `values`; empty without cross-validation.
    """

    seeds: tuple[int, ...]
    values: Floats
    trained: bool = True
    folds: tuple[int, ...] = ()

    def has(self, count: int) -> bool:
        """Whether there are the seeds 0 to `count` - 1."""
        return set(range(count)) <= set(self.seeds)

    def first(self, count: int) -> Scores:
        """Those of the seeds 0 to `count` - 1, in order. Raises ValueError if one is missing."""
        rows = [self.seeds.index(seed) for seed in range(count)]
        return replace(self, seeds=tuple(range(count)), values=self.values[rows])

    @property
    def squares(self) -> MeanSquares:
        """The mean squares of its table."""
        return fold_squares(self.values, self.folds) if self.folds else mean_squares(self.values)

    @property
    def estimate(self) -> Estimate:
        """Its mean with an interval and a p-value, of this table alone."""
        if self.folds:
            return estimate_in_folds(self.values, self.folds, self.trained)
        return estimate(self.values, self.trained)


@dataclass(frozen=True)
class Cell:
    """A cell's `runs` by ascending seed and fold, with what they stored stacked over seeds, [S, …] each.

    In cross-validation the folds follow each other in all arrays that have one value a query; `queries` holds the number of
    queries of each fold, by array, and `folds` that of its units.
    """

    runs: tuple[Measured, ...]
    arrays: Mapping[str, NDArray[Any]]
    contributions: Contributions
    folds: tuple[int, ...] = ()
    queries: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def trained(self) -> bool:
        """False for a reference, which is the same for all seeds."""
        return not self.runs[0].record.spec.reference

    @property
    def label(self) -> str:
        """How a person recognises the cell."""
        return self.runs[0].record.spec.cell_label

    def scores(self, metric: str) -> Scores:
        """Contributions of one metric. Raises KeyError if the task has no such metric."""
        return Scores(self.seeds, self.contributions.values[metric], self.trained, self.folds)

    def place(self, array: str, position: int) -> tuple[int | None, int]:
        """The fold, None without folds, of a query at a position of `arrays`, and its position in that fold."""
        for fold, count in enumerate(self.queries.get(array, ())):
            if position < count:
                return fold, position
            position -= count
        return None, position


def complete(runs: Sequence[Measured]) -> list[Measured]:
    """The runs of one cell that count: in cross-validation those of the seeds all of whose folds are there."""
    of = runs[0].record.spec.fold.of if runs and runs[0].record.spec.fold else 1
    counts: dict[int, set[int]] = {}
    for run in runs:
        counts.setdefault(run.seed, set()).add(run.fold)
    return [run for run in runs if len(counts[run.seed]) >= of]


def cell_of(runs: Sequence[Measured], sizes: Sizes, units: SplitUnits = None) -> Cell:
    """The runs of one cell on a test split of these sizes, or in cross-validation on folds of these; `units` as
    `Task.contributions` takes them, or those of each fold.

    Raises RecordError if the runs belong to several cells, have a seed twice, or not all folds of a seed, or stored arrays of
    another split, or if there is a single test unit, and KdbenchError if `units` do not fit `sizes`.
    """
    ordered = tuple(sorted(runs, key=lambda run: (run.seed, run.fold)))
    _check_one_cell(ordered)
    if ordered[0].record.spec.fold is None:
        cell = _part(ordered, sizes, units)
    else:
        of = ordered[0].record.spec.fold.of
        parts = [_part(tuple(run for run in ordered if run.fold == fold), sizes, units) for fold in range(of)]
        cell = _joined(ordered, parts)
    counts = cell.folds or [values.shape[1] for values in cell.contributions.values.values()]
    if min(counts, default=2) < 2:
        where = " in a fold" if cell.folds else ""
        raise RecordError(
            f"{cell.label}: found a single test unit{where}, expected at least 2: one has no spread, so no interval"
        )
    return cell


def check_run(run: Measured, sizes: Sizes, units: SplitUnits = None) -> None:
    """Raises RecordError if what a run stored is unusable, whatever the other runs of its cell are."""
    if run.record.spec.fold is None:
        cell_of([run], sizes, units)
    else:
        _part((run,), sizes, units)


def _part(ordered: tuple[Measured, ...], sizes: Sizes, units: SplitUnits) -> Cell:
    """The runs of a cell, or of one fold of it."""
    fold = ordered[0].fold
    own_sizes = sizes[fold] if isinstance(sizes, ByFold) else sizes
    own_units = units.get(fold) if isinstance(units, ByFold) else units
    task = ordered[0].task
    found = [run.arrays() for run in ordered]
    for run, arrays in zip(ordered, found, strict=True):
        if run.record.sizes == own_sizes:
            continue  # `arrays` has been checked by these
        for what, was, expected in task.problems(arrays, own_sizes):
            raise RecordError(f"{run.record.spec.label}: {what}: found {was}, expected {expected}: another test split?")
    if len({tuple((name, values.shape) for name, values in sorted(arrays.items())) for arrays in found}) > 1:
        raise RecordError(f"{ordered[0].record.spec.cell_label}: its seeds stored arrays of different sizes")
    stacked = {name: np.array([arrays[name] for arrays in found]) for name in found[0]}
    return Cell(ordered, stacked, task.contributions(stacked, own_sizes, own_units))


def _joined(ordered: tuple[Measured, ...], parts: Sequence[Cell]) -> Cell:
    """The folds of a cell side by side."""
    first = parts[0]
    names = [name for name in first.arrays if all(part.arrays[name].ndim == 2 for part in parts)]
    values = {
        metric: np.concatenate([part.contributions.values[metric] for part in parts], axis=1)
        for metric in first.contributions.values
    }
    counts = [next(iter(part.contributions.values.values())).shape[1] for part in parts]
    notes = [part.contributions.note for part in parts if part.contributions.note]
    return Cell(
        runs=ordered,
        arrays={name: np.concatenate([part.arrays[name] for part in parts], axis=1) for name in names},
        contributions=Contributions(values, notes[0] if notes else ""),
        folds=tuple(counts),
        queries={name: tuple(part.arrays[name].shape[1] for part in parts) for name in names},
    )


def _check_one_cell(ordered: Sequence[Measured]) -> None:
    specs = [run.record.spec for run in ordered]
    if others := sorted({spec.label for spec in specs if spec.cell_id != specs[0].cell_id}):
        raise RecordError(
            f"{specs[0].label} and {', '.join(others)} are of several cells; expected the records of one cell over its seeds"
        )
    seeds = [spec.seed for spec in specs]
    if len({(run.seed, run.fold) for run in ordered}) < len(ordered):
        raise RecordError(f"{specs[0].label}: two records of one seed ({', '.join(map(str, seeds))}); expected one for each")
    if len(complete(ordered)) < len(ordered):
        expected = "all folds of each seed"
        raise RecordError(f"{specs[0].cell_label}: found {', '.join(spec.label for spec in specs)}; expected {expected}")
