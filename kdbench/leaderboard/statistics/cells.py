"""A cell of a suite, over its seeds, as figures that average to its metrics: one for each seed and unit of the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.leaderboard.statistics.measured import Measured
from kdbench.leaderboard.statistics.units import Units

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One metric of a cell: `values` [S, U] for the `seeds`, in percent. What is not trained is the same for all seeds."""

    seeds: tuple[int, ...]
    values: Floats
    trained: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell's metrics and its ranks `text` [S, N] and `image` [S, M] over its `seeds`, in ascending order."""

    id: str
    label: str
    seeds: tuple[int, ...]
    trained: bool
    contributions: dict[str, Floats]  # metric → [S, U]
    text: NDArray[np.int32]
    image: NDArray[np.int32]

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
    for one in ordered:
        if (len(one.ranks.text), len(one.ranks.image)) != (len(units.images), len(units.captions)):
            raise RecordError(
                f"{one.record.label}: ranks of {len(one.ranks.text)} images and {len(one.ranks.image)} captions, "
                f"expected {len(units.images)} and {len(units.captions)}: another test split?"
            )
    text = np.array([one.ranks.text for one in ordered])
    image = np.array([one.ranks.image for one in ordered])
    trained = first.spec.get("role") != "reference"
    label = first.label.removesuffix(f" · seed {seeds[0]}")
    return Cell(first.cell_id, label, seeds, trained, contributions(text, image, units, ordered[0].recall_at), text, image)


def contributions(text: NDArray[Any], image: NDArray[Any], units: Units, recall_at: Sequence[int]) -> dict[str, Floats]:
    """Metric → [S, U] in percent, from ranks [S, N] and [S, M]. The mean over units is each seed's metric, exactly.

    R@K is a ratio, hits by queries, where units have unequal numbers of captions; a unit's figure is the linear part of its
    influence on that ratio, so that units with many captions do not seem to score high or low.
    """
    found = {f"image_retrieval_recall@{k}": _of_units(image <= k, units.captions, units.count) for k in recall_at}
    found |= {f"text_retrieval_recall@{k}": _of_units(text <= k, units.images, units.count) for k in recall_at}
    total = np.sum(list(found.values()), axis=0)
    return found | {"rsum": total, "mean_recall": total / len(found)}


def _of_units(hits: NDArray[np.bool_], unit: NDArray[np.int64], count: int) -> Floats:
    mean = float(hits.mean())
    sums = np.array([np.bincount(unit, seed - mean, minlength=count) for seed in hits])
    shares: Floats = mean + sums * (count / hits.shape[1])
    return 100 * shares
