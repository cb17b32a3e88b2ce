"""Two rows of one test split, ready to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from kdbench.errors import KdbenchError
from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.statistics.cells import Cell, cell_of
from kdbench.statistics.crossed import Estimate
from kdbench.statistics.pair_tests import difference
from kdbench.statistics.splits import SplitUnits, split_of


def estimate_difference(a: Cell, b: Cell, metric: str) -> Estimate:
    """Of a − b on the seeds they share, of this pair alone. Raises KdbenchError if they share none."""
    between = difference(a.scores(metric), b.scores(metric))
    if not between.seeds:
        seeds = [", ".join(map(str, cell.seeds)) for cell in (a, b)]
        raise KdbenchError(f"{a.label} (seeds {seeds[0]}) and {b.label} (seeds {seeds[1]}) share no seed: nothing is paired")
    return between.estimate


def comparable(a: Sequence[Measured], b: Sequence[Measured], units: SplitUnits) -> tuple[Cell, Cell]:
    """The two rows as cells. Raises KdbenchError if they were evaluated on different test splits or by different tasks."""
    if not a or not b:
        raise KdbenchError("nothing to compare: a row without finished runs")
    one, other = a[0].protocol, b[0].protocol
    if one.evaluation != other.evaluation:
        labels = " and ".join(runs[0].record.spec.cell_label for runs in (a, b))
        raise KdbenchError(f"{labels} do not compare: {_difference(one, other)}")
    sizes, _ = split_of([*a, *b], {})
    return cell_of(a, sizes, units), cell_of(b, sizes, units)


def _difference(one: Protocol, other: Protocol) -> str:
    """The first of what decides `Protocol.evaluation` that differs."""
    one_content = one.dataset_digest != "" and one.dataset_digest == other.dataset_digest
    parts = (
        *(() if one_content else [("dataset", one.dataset, other.dataset)]),
        ("test split (dataset digest)", one.dataset_digest, other.dataset_digest),
        ("task", one.parts["task"], other.parts["task"]),
        ("split", one.split, other.split),
    )
    return next((f"{what} {left} and {right}" for what, left, right in parts if left != right), "one is a smoke run")
