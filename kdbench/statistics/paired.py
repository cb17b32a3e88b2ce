"""Two rows on one test split, ready to be compared."""

from __future__ import annotations

from collections.abc import Sequence

from kdbench.errors import KdbenchError
from kdbench.reports.board import Measured
from kdbench.statistics.cells import Cell, cell_of
from kdbench.statistics.crossed import Estimate, estimate
from kdbench.statistics.families import Given
from kdbench.statistics.pairs import difference
from kdbench.statistics.units import Units, units_of


def estimate_difference(a: Cell, b: Cell, metric: str = "rsum") -> Estimate:
    """Of a − b on the seeds they share, of this pair alone. Raises KdbenchError where they share none."""
    between = difference(a.row(metric), b.row(metric))
    if not between.seeds:
        seeds = [", ".join(map(str, cell.seeds)) for cell in (a, b)]
        raise KdbenchError(f"{a.label} (seeds {seeds[0]}) and {b.label} (seeds {seeds[1]}) share no seed: nothing is paired")
    return estimate(between.values, between.trained)


def paired(a: Sequence[Measured], b: Sequence[Measured], units: Given | None) -> tuple[Cell, Cell, Units]:
    """The two rows on one split. Raises KdbenchError where their split or their protocol differs."""
    if not a or not b:
        raise KdbenchError("nothing to compare: a row without finished runs")
    for what, left, right in (
        ("test split (dataset digest)", a[0].record.dataset_digest, b[0].record.dataset_digest),
        ("protocol (recall_at)", a[0].recall_at, b[0].recall_at),
    ):
        if left != right:
            raise KdbenchError(f"{a[0].record.label} and {b[0].record.label} do not compare: {what} {left} and {right}")
    split = units_of(a[0].record.sizes, units)
    return cell_of(a, split), cell_of(b, split), split
