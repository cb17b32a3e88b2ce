"""Two rows compared, in words and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.contracts.task import Queries
from kdbench.records.measured import Measured
from kdbench.statistics.cells import Cell, Scores
from kdbench.statistics.comparable import comparable, estimate_difference
from kdbench.statistics.crossed import Estimate
from kdbench.statistics.deciding import Answer, answer, what_would_decide
from kdbench.statistics.folds import fold_means
from kdbench.statistics.pair_tests import difference
from kdbench.statistics.splits import SplitUnits

Floats = NDArray[np.float64]
RACED = "raced: the seeds follow from looks at the results, which the tests of the leaderboard count in and this one does not"


@dataclass(frozen=True)
class Query:
    """One test query, the `index`-th of its array, and its medians over seeds in A and in B."""

    of: Queries
    index: int
    a: float
    b: float
    fold: int | None = None  # in cross-validation, `index` counts within it


@dataclass(frozen=True)
class Shares:
    """Of the queries of one array, by their medians over seeds: the shares where A is better, worse, the same."""

    better: float
    worse: float
    same: float


@dataclass(frozen=True)
class Explanation:
    """A − B.

    `answer` says which of three things holds of the headline; `ended_at` are the seeds at which a race of the two has ended.
    `estimates` by metric name in shown units, `by_run` the headline's difference of each seed, or of each seed and fold (from
    1), `shares` by `Queries.label`, `gained` and `lost` the queries that changed most in A's favour and against it.
    """

    a: str
    b: str
    metrics: Mapping[str, Metric]
    headline: Metric
    answer: Answer
    estimates: dict[str, Estimate]
    by_run: dict[tuple[int, ...], float]
    shares: dict[str, Shares]
    gained: list[Query]
    lost: list[Query]
    notes: list[str]
    ended_at: int | None = None

    @property
    def seeds(self) -> list[int]:
        """Those that both rows have."""
        return list(dict.fromkeys(seed for seed, *_ in self.by_run))

    @property
    def agree(self) -> int:
        """How many runs have a difference of the mean's sign."""
        return sum(value * self.estimates[self.headline.name].mean > 0 for value in self.by_run.values())

    @property
    def verdict(self) -> str:
        """One sentence."""
        found, answer, label = self.estimates[self.headline.name], self.answer, self.headline.label
        figures = f"{label} {_figures(found, self.headline)}"
        if answer.better:
            best, other = (self.a, self.b) if self.headline.better(found.mean, 0) else (self.b, self.a)
            little = f", by less than the margin of {answer.margin:g} {label}" if answer.equivalent else ""
            return f"{best} is significantly better than {other}{little}: {figures}"
        if answer.equivalent:
            return f"{self.a} and {self.b} are equivalent within {answer.margin:g} {label}: {figures}"
        nor = f", nor are they equivalent within {answer.margin:g} {label}" if answer.margin else ""
        between = f"Undecided between {self.a} and {self.b}: neither is significantly better{nor}"
        return f"{between}: {figures}; {what_would_decide(answer.more_seeds, self.ended_at)}"

    @property
    def runs(self) -> str:
        """The difference of each run, in one line."""
        name = " · ".join(("seed", "fold")[: len(next(iter(self.by_run), (0,)))])
        runs = ", ".join(f"{'·'.join(map(str, run))}: {one:+.{self.headline.decimals}f}" for run, one in self.by_run.items())
        return f"by {name}: {runs} ({self.agree} of {len(self.by_run)} have the sign of the mean)"

    def lines(self, more: Callable[[Query], Sequence[str]] = lambda query: (), notes: Sequence[str] = ()) -> list[str]:  # noqa: ARG005
        """For a terminal; `more` are further lines of a query, `notes` further notes."""
        lines = [f"A = {self.a}", f"B = {self.b}", "", self.verdict, self.runs]
        names = {name: _with_unit(self.metrics[name]) for name in self.estimates}
        width = max(map(len, names.values()))
        shown = [f"  {names[name]:<{width}}  {_figures(one, self.metrics[name])}" for name, one in self.estimates.items()]
        lines += ["", "A − B:", *shown, ""]
        for label, shares in self.shares.items():
            parts = f"A better {shares.better:.0%}, worse {shares.worse:.0%}, same {shares.same:.0%}"
            lines.append(f"{label} queries, by median over seeds: {parts}")
        for title, queries in (("A gained most", self.gained), ("A lost most", self.lost)):
            figures = ", ".join(dict.fromkeys(query.of.figure for query in queries))
            listed = [line for query in queries for line in (_query(query), *more(query))]
            lines += ["", f"{title}: median {figures} in A, in B", *listed] if queries else []
        told = [f"note: {note}" for note in (*self.notes, *notes)]
        return [*lines, *([""] if told else []), *told]


def explain(
    a: Sequence[Measured], b: Sequence[Measured], units: SplitUnits = None, most: int = 5, names: tuple[str, str] | None = None
) -> Explanation:
    """A and B are the runs of one row each over its seeds; `units` are those of their test split (see `splits.split_of`);
    `most` queries are listed each way; `names` are what sentences call the two, by default the labels of their runs.

    Raises KdbenchError if the two were evaluated on different test splits or by different tasks, or share no seed.
    """
    first, second = comparable(a, b, units)
    task = a[0].task
    estimates = {metric: estimate_difference(first, second, metric) for metric in first.contributions.values}
    scores = first.scores(task.headline.name), second.scores(task.headline.name)
    between, race = difference(*scores), a[0].protocol.raced
    queries = {of.label: _queries(of, first, second, between.seeds) for of in task.queries if of.array in first.arrays}
    changes = {query: change for listed in queries.values() for query, change in zip(listed, _changes(listed), strict=True)}
    ordered = sorted(changes, key=lambda query: (-changes[query], query.of.label, query.fold or 0, query.index))
    called = names or (first.label, second.label)
    return Explanation(
        a=called[0],
        b=called[1],
        metrics={metric.name: metric for metric in task.metrics},
        headline=task.headline,
        answer=answer(*scores, min(a[0].margin, b[0].margin)),
        estimates=estimates,
        by_run=_by_run(between),
        shares={label: _shares(listed) for label, listed in queries.items() if listed},
        gained=[query for query in ordered[:most] if changes[query] > 0],
        lost=[query for query in ordered[::-1][:most] if changes[query] < 0],
        notes=_notes(a[0], b[0], first, second, estimates[task.headline.name], between.seeds),
        ended_at=race.max_seeds if race and len(between.seeds) >= race.max_seeds else None,
    )


def _by_run(between: Scores) -> dict[tuple[int, ...], float]:
    """The mean of each seed, or of each seed and fold."""
    if not between.folds:
        return {(seed,): float(values.mean()) for seed, values in zip(between.seeds, between.values, strict=True)}
    means = fold_means(between.values, between.folds).tolist()
    of_seeds = zip(between.seeds, means, strict=True)
    return {(seed, fold): mean for seed, of_seed in of_seeds for fold, mean in enumerate(of_seed, start=1)}


def _notes(a: Measured, b: Measured, first: Cell, second: Cell, found: Estimate, seeds: tuple[int, ...]) -> list[str]:
    notes = []
    both = first.trained and second.trained
    if both and a.protocol.budget != b.protocol.budget:
        budgets = f"{a.protocol.budget} and {b.protocol.budget}"
        notes.append(f"trained for {budgets}: the difference is not of the method alone")
    notes += [first.contributions.note] if first.contributions.note else []
    notes += [found.note] if found.note else []
    notes += [RACED] if a.protocol.raced or b.protocol.raced else []
    if both and (unshared := sorted({*first.seeds, *second.seeds} - {*seeds})):
        notes.append(f"left out, as only one side has them: seeds {', '.join(map(str, unshared))}")
    return notes


def _queries(of: Queries, a: Cell, b: Cell, seeds: tuple[int, ...]) -> list[Query]:
    left, right = (_medians(cell.arrays[of.array], cell, seeds).tolist() for cell in (a, b))
    placed = [a.place(of.array, position) for position in range(len(left))]
    return [Query(of, index, one, other, fold) for (fold, index), one, other in zip(placed, left, right, strict=True)]


def _medians(values: NDArray[np.float64], cell: Cell, seeds: tuple[int, ...]) -> Floats:
    chosen = values[[cell.seeds.index(seed) for seed in seeds]] if cell.trained else values
    medians: Floats = np.median(chosen, axis=0)
    return medians


def _changes(queries: Sequence[Query]) -> list[float]:
    """How much each query of one array changed in A's favour: logarithms of ratios, or differences in standard deviations."""
    if not queries:
        return []
    a, b = np.array([(query.a, query.b) for query in queries]).T
    of = queries[0].of
    found = np.log(a / b) if of.ratio else (a - b) / (np.std(a - b) or 1.0)
    changes: list[float] = (found if of.higher_is_better else -found).tolist()
    return changes


def _shares(queries: Sequence[Query]) -> Shares:
    signs = np.array([np.sign(query.a - query.b) for query in queries]) * (1 if queries[0].of.higher_is_better else -1)
    return Shares(better=float((signs > 0).mean()), worse=float((signs < 0).mean()), same=float((signs == 0).mean()))


def _with_unit(metric: Metric) -> str:
    told = ", ".join([*([metric.unit] if metric.unit else []), *([] if metric.higher_is_better else ["lower is better"])])
    return f"{metric.label} ({told})" if told else metric.label


def _figures(one: Estimate, metric: Metric) -> str:
    style = f"+.{metric.decimals + 1}f"
    p = f"p = {one.p:.3f}" if one.p >= 0.001 else "p < .001"
    return f"{one.mean:{style}} (95 % interval {one.low:{style}} to {one.high:{style}}, {p})"


def _query(query: Query) -> str:
    where = "" if query.fold is None else f" of fold {query.fold + 1}"
    return f"  {query.of.label} {query.of.query} {query.index}{where}: {query.of.text(query.a)}, {query.of.text(query.b)}"
