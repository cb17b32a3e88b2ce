"""What a leaderboard is made of, as plain values: tables of rows that may be compared, with what separates them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.reports.differences import in_words as settings_in_words
from kdbench.reports.verdict import NO_VERDICT, Verdict, in_words
from kdbench.statistics.looks import Looks, Stop
from kdbench.statistics.value import Value
from kdbench.suite.spec import RunSpec

if TYPE_CHECKING:
    from kdbench.reports.regimes.gains import Regime


@dataclass(frozen=True)
class Cost:
    """Medians over a row's runs; None if any of its records lacks the figure.

    `teacher_seconds` is a mean, that of one run: the seconds of encoding and training its teachers, divided by the runs on this
    board that used them. `strategy_share` is the part of a training step, 0 to 1, spent in the strategy. `peak_mb` is the
    peak memory (10⁶ bytes) of a run's process, or of the GPU.
    """

    train_seconds: float | None = None
    teacher_seconds: float | None = None
    strategy_share: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Row:
    """One cell over its seeds, `runs` in their order; `values` by metric name, in shown units.

    `first` to `last` are the row's possible ranks, and `group` its tie group, from 1. A reference, which is not trained, has 0
    in all three. `bold` says that the row and those it ties with are significantly better than all of the next group.
    `reconstructions` are the labels of its methods whose source leaves something open. `settings` are those, by path, that the
    rows of its table differ in beyond their labels. Of a raced row, `stop` says why it got no more seeds, and at which look.
    """

    runs: tuple[Measured, ...]
    values: dict[str, Value]
    first: int = 0
    last: int = 0
    group: int = 0
    bold: bool = False
    weights: dict[str, float] = field(default_factory=dict)  # mean by teacher
    reconstructions: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    settings: dict[str, str] = field(default_factory=dict)
    stop: Stop | None = None
    folds: tuple[int, ...] = ()  # test units of each fold; empty without cross-validation

    @property
    def spec(self) -> RunSpec:
        """That of any of its runs: they differ in their seeds alone."""
        return self.runs[0].record.spec

    @property
    def headline(self) -> Metric:
        """The metric that ranks it."""
        return self.runs[0].task.headline

    @property
    def value(self) -> Value:
        """Its headline metric. Raises KeyError if it was not measured."""
        return self.values[self.headline.name]

    @property
    def id(self) -> str:
        """12 hexadecimal digits, the same for all seeds."""
        return self.spec.cell_id

    @property
    def reference(self) -> bool:
        """Whether it is a teacher itself, evaluated without training."""
        return self.spec.reference

    @property
    def variant(self) -> str:
        return self.spec.variant

    @property
    def regime(self) -> str:
        """The regime that it is a row of; empty without one."""
        return self.variant if self.spec.regime else ""

    @property
    def stopped(self) -> str:
        """Why it got no more seeds, and at which look: `worse, look 2`. Empty if it is not raced."""
        return self.stop.text if self.stop else ""

    @property
    def student(self) -> str:
        """The student's label; of a reference, the teacher's."""
        return self.spec.student.name

    @property
    def team(self) -> tuple[str, ...]:
        """Labels of its teachers."""
        return self.spec.teachers

    @property
    def strategy(self) -> str:
        """Its label in the suite; empty with fewer than two teachers, which need none."""
        return self.spec.strategy.name if self.spec.strategy else ""

    @property
    def teachers(self) -> str:
        """For a person."""
        return "teacher itself" if self.reference else " + ".join(self.team) or "no distillation"

    @property
    def name(self) -> str:
        """Identifies the row within its table: `ammkd of lite0 + lite2`, `lite0 alone (train.lr=0.01)`, `no distillation`."""
        return f"{self.label} ({settings_in_words(self.settings)})" if self.settings else self.label

    @property
    def label(self) -> str:
        """The name without the settings that tell rows of one label apart."""
        if self.reference:
            return f"{self.student} (teacher itself)"
        taught = f"{self.strategy} of {self.teachers}" if self.strategy else self.teachers + (" alone" if self.team else "")
        return f"{self.variant}: {taught}" if self.variant and not self.regime else taught

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def by_seed(self) -> dict[int, float]:
        """The headline of each seed, in its shown unit; in cross-validation its mean over the units of all folds."""
        headline = self.headline
        if not self.folds:
            return {run.seed: headline.scale * run.record.metrics[headline.name] for run in self.runs}
        found = dict.fromkeys(self.seeds, 0.0)
        for run in self.runs:
            share = self.folds[run.fold] / sum(self.folds)
            found[run.seed] += share * headline.scale * run.record.metrics[headline.name]
        return found


@dataclass(frozen=True)
class Table:
    """Rows of one protocol, best headline first. `references` are evaluated on the same split and not ranked.

    `metrics` are all of the task, in the order of columns; `sizes` count what the test split holds. `better` [R, R] says
    whether row i is significantly better than row j, Holm-corrected for all pairs. `missing` names baselines that a complete
    table has.
    """

    protocol: Protocol
    metrics: tuple[Metric, ...]
    sizes: dict[str, int]
    rows: list[Row]
    references: list[Row]
    better: NDArray[np.bool_]
    missing: list[str] = field(default_factory=list)
    verdict: Verdict = NO_VERDICT
    looks: Looks | None = None  # of tested rows
    notes: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """12 hexadecimal digits, from what makes its rows comparable."""
        return self.protocol.id

    @property
    def headline(self) -> Metric:
        """The metric that ranks its rows."""
        return next(metric for metric in self.metrics if metric.headline)

    @property
    def shown(self) -> list[Metric]:
        """The metrics that have columns."""
        return [metric for metric in self.metrics if metric.shown]

    @property
    def dataset(self) -> str:
        """Its label."""
        return self.protocol.dataset

    @property
    def trained_on(self) -> str:
        """The label of the dataset that its students were trained on: mostly its own."""
        return self.protocol.trained_on.name if self.protocol.trained_on else self.dataset

    @property
    def digest(self) -> str:
        """Of the dataset, by content."""
        return self.protocol.dataset_digest

    @property
    def student(self) -> str:
        """Its label; `teachers themselves` in a table of references."""
        return self.protocol.parts["student"]

    @property
    def budget(self) -> str:
        """`60 epochs, 540 steps of 256 samples`"""
        return self.protocol.parts["sample budget"]

    @property
    def tuning(self) -> str:
        """`untuned`, or `12 trials on validation`."""
        return self.protocol.parts["tuning budget"]

    @property
    def smoke(self) -> bool:
        return self.protocol.smoke

    @property
    def regime(self) -> str:
        """The regime that its rows were trained in; empty without one."""
        return self.protocol.regime

    @property
    def title(self) -> str:
        smoke = "SMOKE, not publishable: " if self.smoke else ""
        elsewhere = f" trained on {self.protocol.trained_on.name}" if self.protocol.trained_on else ""
        regime = f"{self.regime} · " if self.regime else ""
        return f"{smoke}{regime}{self.dataset} {self.protocol.split} · {self.student}{elsewhere} · {self.budget}, {self.tuning}"

    @property
    def split(self) -> str:
        """What the rows were evaluated on, in words."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.sizes.items())
        return f"{counts}; digest {self.digest[:8]}"

    @property
    def lead(self) -> str:
        """How `sentence` begins, for emphasis: which row to use. Empty if there is no choice."""
        return in_words(self.verdict, self.rows)[0]

    @property
    def rest(self) -> str:
        """How `sentence` goes on after `lead`."""
        return in_words(self.verdict, self.rows)[1]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return self.lead + self.rest


@dataclass(frozen=True)
class Board:
    """All tables, a line for each run without figures, and why there are several tables; `regimes` are the gains over equal
    weights in tables of regimes."""

    tables: list[Table]
    notes: list[str]
    regimes: list[Regime] = field(default_factory=list)

    @property
    def transfers(self) -> bool:
        """Whether students of a table were trained on another dataset than it is of; exports then name both."""
        return any(table.protocol.trained_on for table in self.tables)
