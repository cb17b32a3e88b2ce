"""A cell of a suite, over its seeds, as figures that average to its metrics: one for each seed and unit of the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.reports.board import Measured
from kdbench.statistics.units import Units

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One metric of a cell: `values` [S, U] for the `seeds`, in percent. What is not trained is the same for all seeds."""

    seeds: tuple[int, ...]
    values: Floats
    trained: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell's `runs` by ascending seed, and their ranks `text` [S, N] and `image` [S, M]."""

    runs: tuple[Measured, ...]
    seeds: tuple[int, ...]
    trained: bool
    units: Units
    text: NDArray[np.int32]
    image: NDArray[np.int32]

    @property
    def id(self) -> str:
        return self.runs[0].record.cell_id

    @property
    def label(self) -> str:
        return self.runs[0].record.label.removesuffix(f" · seed {self.seeds[0]}")

    @cached_property
    def contributions(self) -> dict[str, Floats]:
        """Metric → [S, U]."""
        return contributions(self.text, self.image, self.units, self.runs[0].recall_at)

    def row(self, metric: str = "rsum") -> Row:
        return Row(self.seeds, self.contributions[metric], self.trained)


def cell_of(runs: Sequence[Measured], units: Units) -> Cell:
    """The runs of one cell. Raises RecordError where they are of several, have a seed twice, or other numbers of queries."""
    ordered = sorted(runs, key=lambda one: int(one.record.spec["seed"]))
    first = ordered[0].record
    if any(one.record.cell_id != first.cell_id for one in ordered):
        others = sorted({one.record.label for one in ordered if one.record.cell_id != first.cell_id})
        raise RecordError(
            f"{first.label} is not of one row with {', '.join(others)}: give the records of one row over its seeds"
        )
    seeds = tuple(int(one.record.spec["seed"]) for one in ordered)
    if len(set(seeds)) < len(seeds):
        raise RecordError(f"{first.label}: two records of one seed ({', '.join(map(str, seeds))}); give each once")
    found = [one.ranks() for one in ordered]
    for one, ranks in zip(ordered, found, strict=True):
        if (len(ranks.text), len(ranks.image)) != (len(units.images), len(units.captions)):
            raise RecordError(
                f"{one.record.label}: ranks of {len(ranks.text)} images and {len(ranks.image)} captions, "
                f"expected {len(units.images)} and {len(units.captions)}: another test split?"
            )
    text, image = (np.array([getattr(ranks, way) for ranks in found]) for way in ("text", "image"))
    trained = first.spec.get("role") != "reference"
    return Cell(tuple(ordered), seeds, trained, units, text, image)
