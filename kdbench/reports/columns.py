"""The columns of a table as text, and which of them to leave out where a terminal is too narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kdbench.contracts import Metric
from kdbench.reports.board import Row, Table
from kdbench.reports.differences import in_words
from kdbench.statistics.value import Value

DAGGER = "†"
ONE_SEED = "!"
NONE = "–"
RANKING, COSTS, WEIGHTS = 9, 2, 1  # priorities of columns that are no metric's


R = TypeVar("R")


@dataclass(frozen=True)
class Column(Generic[R]):
    """`text` is what a row shows, `name` the head, of one or two lines. Columns of a lower `keep` are left out first, those of
    None never."""

    name: str
    text: Callable[[R], str]
    left: bool = False
    keep: int | None = None
    headline: bool = False


def columns(table: Table) -> list[Column[Row]]:
    """Those that a table of these rows has: metrics as its task lists them, costs that its records tell."""
    rows = [*table.references, *table.rows]
    found = [Column("rank", rank), Column("group", lambda row: str(row.group or ""), keep=RANKING)]
    if any(row.variant for row in rows):
        found.append(Column("variant", lambda row: row.variant, left=True))
    found += [
        Column("teachers", _teachers, left=True),
        Column("strategy", lambda row: _marked(row, row.strategy) or NONE, left=True),
        Column("n", seeds),
    ]
    if any(row.settings for row in rows):
        found.insert(-1, Column("settings", lambda row: in_words(row.settings), left=True))
    found += [_of_metric(metric) for metric in table.shown]
    found += [column for column in _costs() if any(column.text(row) != NONE for row in rows)]
    if any(len(row.weights) > 1 for row in rows):
        found.append(Column("mean weights", weights, left=True, keep=WEIGHTS))
    return found


def fitting(found: Sequence[Column[R]], rows: Sequence[R], width: int | None) -> tuple[list[Column[R]], list[str]]:
    """Those that fit into `width` characters, and the names of the others. All fit if `width` is None."""
    shown = list(found)
    if width is None:
        return shown, []
    droppable = sorted((column for column in found if column.keep is not None), key=lambda column: column.keep or 0)
    for column in droppable:
        # tabulate leaves two characters about a header.
        heads = {one.name: [f"{line}  " for line in one.name.splitlines()] for one in shown}
        if sum(2 + max(map(len, [*heads[one.name], *map(one.text, rows)])) for one in shown) - 2 <= width:
            break
        shown.remove(column)
    return shown, [" ".join(column.name.split()) for column in found if column not in shown]


def rank(row: Row) -> str:
    """Its possible ranks; empty for a row that is not ranked."""
    if not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def seeds(row: Row) -> str:
    """How many, marked if one alone leaves the variance of training unknown."""
    return f"{len(row.runs)}{ONE_SEED if len(row.runs) == 1 and not row.reference else ''}"


def weights(row: Row) -> str:
    """The mean weight of each teacher; empty for fewer than two."""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in row.weights.items()) if len(row.weights) > 1 else ""


def figure(value: Value, metric: Metric) -> str:
    """Mean and half the 95 % interval."""
    return f"{metric.text(value.mean)} ± {metric.text(value.half)}"


def _of_metric(metric: Metric) -> Column[Row]:
    keep = None if metric.headline else metric.priority
    return Column(metric.label, lambda row: figure(row.values[metric.name], metric), keep=keep, headline=metric.headline)


def _costs() -> list[Column[Row]]:
    def shown(read: Callable[[Row], float | None], style: str) -> Callable[[Row], str]:
        return lambda row: NONE if (value := read(row)) is None else format(value, style)

    return [
        Column("train (s)", shown(lambda row: row.cost.train_seconds or None, ",.0f"), keep=COSTS),
        Column("teachers (s)", shown(lambda row: row.cost.teacher_seconds, ",.0f"), keep=COSTS),
        Column("strategy time", shown(lambda row: row.cost.strategy_share, ".1%"), keep=COSTS),
        Column("memory (MB)", shown(lambda row: row.cost.peak_mb, ",.0f"), keep=COSTS),
    ]


def _teachers(row: Row) -> str:
    return f"{_marked(row, row.student)} ({row.teachers})" if row.reference else row.teachers


def _marked(row: Row, label: str) -> str:
    return f"{label}{DAGGER}" if label in row.reconstructions else label
