"""The columns of a table, their heads and their meaning."""

from __future__ import annotations

from dataclasses import dataclass

from kdbench.contracts import Metric
from kdbench.reports.board import Board, Row, Table

DAGGER = "†"
MEANINGS = {
    "Rank": "The ranks that are possible for a row, 1 is best. 2–5: one row is significantly better, up to four may be.",
    "Group": "Rows with a tie group in common are indistinguishable by these runs (all pairs tested, Holm, 5 %).",
    "Variant": "The suite's variant (ablation).",
    "Strategy": f"How the teachers are weighted; fewer than two teachers need no strategy. {DAGGER} marks a "
    "reconstruction: the source leaves something open.",
    "Teachers": "The student's teachers. “teacher itself”: evaluated without training, and not ranked.",
    "Seeds": "The number of runs, with different random seeds, that the row averages.",
    "Stopped": "Why a row of a race got no more seeds, and at which look. Worse: another row is significantly better. Settled: "
    "it is significantly different from, or equivalent to, every row that went on. Running: it goes on.",
    "± and bold": "Half the width of the 95 % interval over seeds and test units. Bold: this row and those it is tied with "
    "are significantly better than all rows of the next group.",
    "Student, s": "Seconds to train the student, averaged over runs.",
    "Teachers, s": "Seconds to train the teachers and compute their outputs, divided among the runs that used them.",
    "Strategy, %": "The fraction of a training step spent in the strategy.",
    "Peak, MB": "Peak memory (10⁶ bytes) of a run.",
    "Tuning": "How the hyperparameters were found; the same for all rows of a table.",
    "Mean weights": "The weight of each teacher, averaged over all steps and runs.",
    "Runs": "Links to the pages of the runs, by seed.",
}


@dataclass(frozen=True)
class MetricColumn:
    """A metric's column. `header` is short, because the group's name stands above it."""

    metric: Metric
    header: str

    @property
    def first(self) -> str:
        """The sort order that puts the best row on top."""
        return "desc" if self.metric.higher_is_better else "asc"


def meanings(board: Board) -> dict[str, str]:
    """The meaning of each column, metrics before costs."""
    metrics = {metric.label: _meaning(metric) for table in board.tables for metric in table.shown}
    before = ("Rank", "Group", "Variant", "Strategy", "Teachers", "Seeds", "Stopped")
    rest = {name: text for name, text in MEANINGS.items() if name not in before}
    found = {name: MEANINGS[name] for name in before} | metrics | rest
    absent = {"Variant": not any(map(varied, board.tables)), "Stopped": not any(map(raced, board.tables))}
    return {name: text for name, text in found.items() if not absent.get(name)}


def metric_groups(table: Table) -> dict[str, list[MetricColumn]]:
    """The columns of metrics that any row has, by group, without the headline, which has its own column."""
    found: dict[str, list[MetricColumn]] = {}
    rows = [*table.references, *table.rows]
    for metric in table.shown:
        if not metric.headline and any(metric.name in row.values for row in rows):
            header = metric.label.removeprefix(metric.group).strip() or metric.label
            found.setdefault(metric.group, []).append(MetricColumn(metric, header + _arrow(metric)))
    return found


def headline(table: Table) -> MetricColumn:
    """The column by which the table is sorted."""
    return MetricColumn(table.headline, head(table.headline))


def head(metric: Metric) -> str:
    """The label, marked if lower is better."""
    return metric.label + _arrow(metric)


def way(metric: Metric) -> str:
    """The direction of a metric in words: `higher is better`."""
    return "higher is better" if metric.higher_is_better else "lower is better"


def label(row: Row) -> str:
    """The label of a row in a table that has columns for teachers and variant."""
    return row.strategy or (row.student if row.reference else f"{row.teachers} alone" if row.team else "no distillation")


def varied(table: Table) -> bool:
    """Whether any row has a variant that is no regime, which the title of its table names."""
    return any(row.variant and not row.regime for row in [*table.rows, *table.references])


def raced(table: Table) -> bool:
    """Whether its rows are raced."""
    return any(row.stopped for row in table.rows)


def reconstructed(row: Row) -> bool:
    """Whether the row's strategy is a reconstruction."""
    return bool(row.strategy) and row.strategy in row.reconstructions


def reconstructions(table: Table) -> list[str]:
    """Labels of all parts of the table's rows that are reconstructions."""
    return sorted({label for row in [*table.rows, *table.references] for label in row.reconstructions})


def rank(row: Row) -> str:
    """The possible ranks: `2` or `1–3`; empty for a reference."""
    if row.reference or not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def use(row: Row) -> str:
    """The name of the row's strategy after `use:`; empty without one."""
    return row.spec.strategy.use if row.spec.strategy else ""


def _arrow(metric: Metric) -> str:
    """Marks a column in which lower is better."""
    return "" if metric.higher_is_better else " ↓"


def _meaning(metric: Metric) -> str:
    unit = f"in {metric.unit}, " if metric.unit and metric.unit not in metric.meaning else ""
    rest = f"{unit}{way(metric)}."
    return f"{metric.meaning} {rest[0].upper()}{rest[1:]}".strip()
