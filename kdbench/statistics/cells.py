"""A cell over its seeds, as contributions whose mean is its metrics: one for each seed and test unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Contributions
from kdbench.errors import RecordError
from kdbench.records.measured import Measured

Floats = NDArray[np.float64]
Units = Mapping[str, NDArray[np.int64]]  # the test unit of each query, by array name; see `Task.units`


@dataclass(frozen=True)
class Scores:
    """Contributions of one metric: `values` [S, U] for the `seeds`, in shown units. An untrained cell fits any seed."""

    seeds: tuple[int, ...]
    values: Floats
    trained: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell's `runs` by ascending seed, with what they stored stacked over seeds, [S, …] each."""

    runs: tuple[Measured, ...]
    arrays: Mapping[str, NDArray[Any]]
    contributions: Contributions

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.seed for run in self.runs)

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
        return Scores(self.seeds, self.contributions.values[metric], self.trained)


def cell_of(runs: Sequence[Measured], sizes: Mapping[str, int], units: Units | None = None) -> Cell:
    """The runs of one cell on a test split of these sizes; `units` as `Task.contributions` takes them.

    Raises RecordError if the runs belong to several cells, have a seed twice or stored arrays of another split, or if there is
    a single test unit, and KdbenchError if `units` do not fit `sizes`.
    """
    ordered = tuple(sorted(runs, key=lambda run: run.seed))
    _check_one_cell(ordered)
    task = ordered[0].task
    found = [run.arrays() for run in ordered]
    for run, arrays in zip(ordered, found, strict=True):
        if run.record.sizes == sizes:
            continue  # `arrays` has been checked by these
        for what, was, expected in task.problems(arrays, sizes):
            raise RecordError(f"{run.record.spec.label}: {what}: found {was}, expected {expected}: another test split?")
    if len({tuple((name, values.shape) for name, values in sorted(arrays.items())) for arrays in found}) > 1:
        raise RecordError(f"{ordered[0].record.spec.cell_label}: its seeds stored arrays of different sizes")
    stacked = {name: np.array([arrays[name] for arrays in found]) for name in found[0]}
    cell = Cell(ordered, stacked, task.contributions(stacked, sizes, units))
    if min((values.shape[1] for values in cell.contributions.values.values()), default=2) < 2:
        raise RecordError(f"{cell.label}: found a single test unit, expected at least 2: one has no spread, so no interval")
    return cell


def _check_one_cell(ordered: Sequence[Measured]) -> None:
    specs = [run.record.spec for run in ordered]
    if others := sorted({spec.label for spec in specs if spec.cell_id != specs[0].cell_id}):
        raise RecordError(
            f"{specs[0].label} and {', '.join(others)} are of several cells; expected the records of one cell over its seeds"
        )
    seeds = [spec.seed for spec in specs]
    if len(set(seeds)) < len(seeds):
        raise RecordError(f"{specs[0].label}: two records of one seed ({', '.join(map(str, seeds))}); expected one for each")
