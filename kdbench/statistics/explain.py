"""Two rows compared, in words and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kdbench.reports.board import Measured
from kdbench.statistics.cells import Cell
from kdbench.statistics.crossed import LEVEL, Estimate
from kdbench.statistics.families import Given
from kdbench.statistics.paired import estimate_difference, paired
from kdbench.statistics.pairs import difference

Direction = Literal["t2i", "i2t"]


@dataclass(frozen=True)
class Query:
    """A test query and its median rank over seeds: caption `index` (t2i) or image `index` (i2t) of the split."""

    direction: Direction
    index: int
    rank_a: float
    rank_b: float


@dataclass(frozen=True)
class Shares:
    """Of the queries of one direction, by median rank over seeds: where A ranks better, worse, the same."""

    better: float
    worse: float
    same: float


@dataclass(frozen=True)
class Explanation:
    """A − B: `estimates` of metrics in percent, each seed's difference of RSUM, what became of the queries."""

    a: str
    b: str
    estimates: dict[str, Estimate]
    by_seed: dict[int, float]
    shares: dict[Direction, Shares]
    gained: list[Query]  # where A gained most, as a ratio of ranks
    lost: list[Query]
    notes: list[str]

    @property
    def agree(self) -> int:
        """How many seeds have a difference of the mean's sign."""
        return sum(value * self.estimates["rsum"].mean > 0 for value in self.by_seed.values())

    @property
    def verdict(self) -> str:
        """One sentence."""
        rsum = self.estimates["rsum"]
        if rsum.p >= LEVEL:
            return f"{self.a} and {self.b} cannot be told apart: RSUM {_figures(rsum)}"
        best, other = (self.a, self.b) if rsum.mean > 0 else (self.b, self.a)
        return f"{best} is better than {other}: RSUM {_figures(rsum)}"

    def lines(self) -> list[str]:
        """For a terminal."""
        seeds = ", ".join(f"{seed}: {value:+.1f}" for seed, value in self.by_seed.items())
        lines = [
            f"A = {self.a}",
            f"B = {self.b}",
            "",
            self.verdict,
            f"by seed: {seeds} ({self.agree} of {len(self.by_seed)} agree)",
        ]
        width = max(map(len, self.estimates))
        lines += ["", "A − B, percent:", *(f"  {name:<{width}}  {_figures(one)}" for name, one in self.estimates.items()), ""]
        for direction, shares in self.shares.items():
            parts = f"A better {shares.better:.0%}, worse {shares.worse:.0%}, same {shares.same:.0%}"
            lines.append(f"{direction} queries, by median rank over seeds: {parts}")
        for title, queries in (("A gained most", self.gained), ("A lost most", self.lost)):
            lines += ["", f"{title} (median rank in A, in B):", *(_query(query) for query in queries)] if queries else []
        return [*lines, *([""] if self.notes else []), *(f"note: {note}" for note in self.notes)]


def explain(a: Sequence[Measured], b: Sequence[Measured], units: Given | None = None, most: int = 5) -> Explanation:
    """A and B are each the runs of one row over its seeds; `units` as in `families`; `most` queries are shown each way.

    Raises KdbenchError where the two were not ranked on the same test split under the same protocol, or share no seed.
    """
    first, second, split = paired(a, b, units)
    if (budgets := [_budget(runs) for runs in (a, b)])[0] != budgets[1] and first.trained and second.trained:
        different = [f"trained for {budgets[0]} and {budgets[1]}: the difference is not of the method alone"]
    else:
        different = []
    estimates = {metric: estimate_difference(first, second, metric) for metric in first.contributions}
    between = difference(first.row(), second.row())
    queries = [*_queries("t2i", first, second, between.seeds), *_queries("i2t", first, second, between.seeds)]
    ordered = sorted(queries, key=lambda query: (np.log(query.rank_a / query.rank_b), query.direction, query.index))
    notes = [*different, *([split.note] if split.note else [])]
    notes += [estimates["rsum"].note] if estimates["rsum"].note else []
    unshared = sorted({*first.seeds, *second.seeds} - {*between.seeds}) if first.trained and second.trained else []
    notes += [f"left out, as one side has them alone: seeds {', '.join(map(str, unshared))}"] if unshared else []
    return Explanation(
        a=first.label,
        b=second.label,
        estimates=estimates,
        by_seed={seed: float(values.mean()) for seed, values in zip(between.seeds, between.values, strict=True)},
        shares={"t2i": _shares(queries, "t2i"), "i2t": _shares(queries, "i2t")},
        gained=[query for query in ordered[:most] if query.rank_a < query.rank_b],
        lost=[query for query in ordered[::-1][:most] if query.rank_a > query.rank_b],
        notes=notes,
    )


def _budget(runs: Sequence[Measured]) -> str:
    record = runs[0].record
    train = record.spec["train"]
    return f"{train.get('epochs')} epochs, {record.steps} steps of {train.get('batch_size')} pairs"


def _queries(direction: Direction, a: Cell, b: Cell, seeds: tuple[int, ...]) -> list[Query]:
    left, right = (_medians(cell.image if direction == "t2i" else cell.text, cell, seeds) for cell in (a, b))
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return [Query(direction, index, rank_a, rank_b) for index, (rank_a, rank_b) in enumerate(pairs)]


def _medians(ranks: NDArray[np.int32], cell: Cell, seeds: tuple[int, ...]) -> NDArray[np.float64]:
    chosen = ranks[[cell.seeds.index(seed) for seed in seeds]] if cell.trained else ranks
    medians: NDArray[np.float64] = np.median(chosen, axis=0)
    return medians


def _shares(queries: Sequence[Query], direction: Direction) -> Shares:
    signs = np.array([np.sign(query.rank_b - query.rank_a) for query in queries if query.direction == direction])
    return Shares(better=float((signs > 0).mean()), worse=float((signs < 0).mean()), same=float((signs == 0).mean()))


def _figures(one: Estimate) -> str:
    p = f"p = {one.p:.3f}" if one.p >= 0.001 else "p < .001"
    return f"{one.mean:+.2f} (95 % interval {one.low:+.2f} to {one.high:+.2f}, {p})"


def _query(query: Query) -> str:
    what = "caption" if query.direction == "t2i" else "image"
    return f"  {query.direction} {what} {query.index}: {query.rank_a:g}, {query.rank_b:g}"
