"""The columns of a table of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kdbench.contracts import Metric
from kdbench.errors import KdbenchError, nearest
from kdbench.reports.board import Row, Table
from kdbench.reports.column import WRAPPED_FIRST, Column, bare, by_name, chosen, typed
from kdbench.reports.differences import in_words
from kdbench.statistics.value import Value

DAGGER = "†"
ONE_SEED = "!"
NONE = "–"
# Priorities of columns that are no metric's. A task's metrics have whole numbers, the first of each way mostly 8.
RANK, SEEDS, STOPPED, TRAINING, GROUP = 19, WRAPPED_FIRST, 8.5, 7.5, 7.2
TEACHERS, MEMORY, STRATEGY, WEIGHTS = 2.4, 2.3, 2.2, 0.5


def columns(table: Table, names: Sequence[str] = ()) -> list[Column[Row]]:
    """Those that a table of these rows has: metrics as its task lists them, costs that its records tell.

    With `names` those of them that the table has, in their order.
    """
    found = _of_table(table)
    return chosen(found, names) if names else [column for column in found if not column.hidden]


def check_names(names: Sequence[str], tables: Sequence[Table]) -> None:
    """Raises KdbenchError for a name that no column of any table has."""
    found = [column for table in tables for column in _of_table(table)]
    known = by_name(found)
    for name in names:
        if tables and typed(name) not in known:
            close = nearest(name, {column.name for column in found})
            raise KdbenchError(f"columns: found {name!r}; expected the name of a column. {close[:1].upper()}{close[1:]}")


def known_columns(metrics: Sequence[Metric]) -> dict[str, str]:
    """How each column of tables with these metrics is typed in short, with its head."""
    found = list(_every(metrics))
    known = by_name(found)
    return {
        next(name for name in map(typed, (bare(one.name), *one.also, one.name)) if known[name] == one): one.name
        for one in found
    }


def rank(row: Row) -> str:
    """Its possible ranks; empty for a row that is not ranked."""
    if not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def seeds(row: Row) -> str:
    """How many, times the folds of each, marked if one alone leaves the variance of training unknown."""
    if row.folds:
        return f"{len(row.seeds)}×{len(row.folds)}"
    return f"{len(row.runs)}{ONE_SEED if len(row.runs) == 1 and not row.reference else ''}"


def weights(row: Row) -> str:
    """The mean weight of each teacher; empty for fewer than two."""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in row.weights.items()) if len(row.weights) > 1 else ""


def figure(value: Value, metric: Metric) -> str:
    """Mean and half the 95 % interval, with the quantity behind a mean of logarithms."""
    aside = f" ({metric.aside(value.mean)})" if metric.inverse else ""
    return f"{metric.text(value.mean)} ± {metric.text(value.half)}{aside}"


def _every(metrics: Sequence[Metric]) -> Iterator[Column[Row]]:
    """All that a table with these metrics may have."""
    yield Column("rank", rank, keep=RANK)
    yield Column("group", lambda row: str(row.group or ""), keep=GROUP)
    yield Column("variant", lambda row: "" if row.regime else row.variant, left=True, optional=True)
    yield Column("teachers", _teachers, left=True)
    yield Column("strategy", lambda row: _marked(row, row.strategy) or NONE, left=True)
    yield Column("settings", lambda row: in_words(row.settings), left=True, optional=True)
    yield Column("n", seeds, keep=SEEDS, also=("seeds",))
    yield Column("stopped", lambda row: row.stopped, left=True, keep=STOPPED, optional=True)
    yield from map(_of_metric, metrics)
    yield from _costs()
    yield Column("mean weights", weights, left=True, keep=WEIGHTS, optional=True, also=("weights",))
    yield Column("regime", lambda row: row.regime, left=True, optional=True, hidden=True)
    yield Column("row", lambda row: row.name, left=True, hidden=True, also=("name",))
    yield Column("id", lambda row: row.id, left=True, hidden=True)


def _of_table(table: Table) -> list[Column[Row]]:
    rows = [*table.references, *table.rows]
    return [one for one in _every(table.metrics) if not one.optional or any(one.text(row) not in ("", NONE) for row in rows)]


def _of_metric(metric: Metric) -> Column[Row]:
    def text(row: Row) -> str:
        return figure(row.values[metric.name], metric) if metric.name in row.values else NONE

    return Column(
        metric.label,
        text,
        keep=None if metric.headline else metric.priority,
        optional=True,
        also=(metric.name,),
        hidden=not metric.shown,
        bold=lambda row: row.bold and metric.headline,
    )


def _costs() -> list[Column[Row]]:
    def shown(read: Callable[[Row], float | None], style: str) -> Callable[[Row], str]:
        return lambda row: NONE if (value := read(row)) is None else format(value, style)

    return [
        Column("train (s)", shown(lambda row: row.cost.train_seconds or None, ",.0f"), keep=TRAINING, optional=True),
        Column(
            "teachers (s)",
            shown(lambda row: row.cost.teacher_seconds, ",.0f"),
            keep=TEACHERS,
            optional=True,
            also=("teacher seconds",),
        ),
        Column("strategy time", shown(lambda row: row.cost.strategy_share, ".1%"), keep=STRATEGY, optional=True),
        Column("memory (MB)", shown(lambda row: row.cost.peak_mb, ",.0f"), keep=MEMORY, optional=True),
    ]


def _teachers(row: Row) -> str:
    return f"{_marked(row, row.student)} ({row.teachers})" if row.reference else row.teachers


def _marked(row: Row, label: str) -> str:
    return f"{label}{DAGGER}" if label in row.reconstructions else label
