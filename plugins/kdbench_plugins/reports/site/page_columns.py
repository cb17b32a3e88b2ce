"""Which columns a table has, what they are called, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row, Table

DAGGER = "†"
MEANINGS = {
    "Rank": "The ranks a row may have, 1 the best. 2–5: one row is significantly better, and up to four may be.",
    "Group": "Rows of one tie group are indistinguishable by these runs (all pairs tested, Holm, 5 %).",
    "Variant": "What else a suite varied.",
    "Strategy": f"How the teachers' signals are combined; fewer than two teachers need no strategy. {DAGGER} marks a "
    "reconstruction: the source leaves something open.",
    "Teachers": "The student's teachers. “teacher itself”: evaluated without training, and not ranked.",
    "Seeds": "How many runs, with different random seeds, the row is a mean of.",
    "± and bold": "Half the 95 % interval over seeds and test units. Bold: this row and those it is tied with are "
    "significantly better than all of the next group.",
    "Student, s": "Seconds to train the student, the mean of its runs.",
    "Teachers, s": "Seconds to train and encode the teachers, shared among the runs that used them.",
    "Strategy, %": "The part of a training step spent in the strategy.",
    "Peak, MB": "The most memory (10⁶ bytes) that a run held.",
    "Tuning": "How the hyperparameters were found; the same for all rows of a table.",
    "Mean weights": "The weight of each teacher, the mean over all steps and runs.",
    "Runs": "The page of each run, by its seed.",
}


@dataclass(frozen=True)
class MetricColumn:
    """A column of a metric. `header` is short, as its group stands above it."""

    metric: Metric
    header: str

    @property
    def first(self) -> str:
        """The order that puts the best on top."""
        return "desc" if self.metric.higher_is_better else "asc"


def meanings(board: Board) -> dict[str, str]:
    """What each column means, the metrics' before the costs'."""
    metrics = {metric.label: _meaning(metric) for table in board.tables for metric in table.shown}
    before = ("Rank", "Group", "Variant", "Strategy", "Teachers", "Seeds")
    rest = {name: text for name, text in MEANINGS.items() if name not in before}
    return {name: MEANINGS[name] for name in before} | metrics | rest


def metric_groups(table: Table) -> dict[str, list[MetricColumn]]:
    """By group, without the headline, which has a column of its own."""
    found: dict[str, list[MetricColumn]] = {}
    for metric in table.shown:
        if not metric.headline:
            header = metric.label.removeprefix(metric.group).strip() or metric.label
            found.setdefault(metric.group, []).append(MetricColumn(metric, header + _arrow(metric)))
    return found


def headline(table: Table) -> MetricColumn:
    """The column that ranks."""
    return MetricColumn(table.headline, table.headline.label + _arrow(table.headline))


def way(metric: Metric) -> str:
    """For a sentence: `higher is better`."""
    return "higher is better" if metric.higher_is_better else "lower is better"


def label(row: Row) -> str:
    """What a row is called in its table, where teachers and variant have columns of their own."""
    return row.strategy or (row.student if row.reference else f"{row.teachers} alone" if row.team else "no distillation")


def varied(table: Table) -> bool:
    """Whether any row has a variant."""
    return any(row.variant for row in [*table.rows, *table.references])


def reconstructed(row: Row) -> bool:
    """Whether its strategy is a reconstruction."""
    return bool(row.strategy) and row.strategy in row.reconstructions


def reconstructions(table: Table) -> list[str]:
    """Labels of all parts of its rows that are."""
    return sorted({label for row in [*table.rows, *table.references] for label in row.reconstructions})


def rank(row: Row) -> str:
    """`2`, or `1–3`; empty for a reference."""
    if row.reference or not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def use(row: Row) -> str:
    """What the suite wrote after `use:` for its strategy; empty without one."""
    return row.spec.strategy.use if row.spec.strategy else ""


def _arrow(metric: Metric) -> str:
    """Marks a column whose least figure is the best; in most the greatest is."""
    return "" if metric.higher_is_better else " ↓"


def _meaning(metric: Metric) -> str:
    unit = f"in {metric.unit}, " if metric.unit and metric.unit not in metric.meaning else ""
    rest = f"{unit}{way(metric)}."
    return f"{metric.meaning} {rest[0].upper()}{rest[1:]}".strip()
