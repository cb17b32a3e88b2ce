"""The columns of a table of runs, which of them there is room for, and which were asked for by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from kdbench.contracts import Metric
from kdbench.errors import KdbenchError, nearest
from kdbench.reports.board import Row, Table
from kdbench.reports.differences import in_words
from kdbench.statistics.value import Value

DAGGER = "†"
ONE_SEED = "!"
NONE = "–"
# Priorities of columns that are no metric's. A task's metrics have whole numbers, the first of each way mostly 8.
RANK, SEEDS, STOPPED, TRAINING, GROUP, TEACHERS, MEMORY, STRATEGY, WEIGHTS = 19, 18, 8.5, 7.5, 7.2, 2.4, 2.3, 2.2, 0.5
NARROWEST = 4  # characters of a column of text that is wrapped


R = TypeVar("R")


def _never(row: object) -> bool:  # noqa: ARG001
    return False


@dataclass(frozen=True)
class Column(Generic[R]):
    """`text` is what a row shows, `name` the head, of one or two lines.

    Columns of a lower `keep` are left out first, all of one `keep` at once, those of None never. One of text may be wrapped to
    `narrow` characters before others are left out; before rank and seeds are, all text is wrapped. One that is `optional` is
    left out where no row has it. `also` are other names to ask for it by; one that is `hidden` has to be asked for. `bold` says
    in which rows it stands out.
    """

    name: str
    text: Callable[[R], str]
    left: bool = False
    keep: float | None = None
    narrow: int | None = None
    optional: bool = False
    also: tuple[str, ...] = ()
    hidden: bool = False
    bold: Callable[[R], bool] = _never


def columns(table: Table, names: Sequence[str] = ()) -> list[Column[Row]]:
    """Those that a table of these rows has: metrics as its task lists them, costs that its records tell.

    With `names` those of them that the table has, in their order.
    """
    found = _of_table(table)
    return chosen(found, names) if names else [column for column in found if not column.hidden]


def chosen(found: Sequence[Column[R]], names: Sequence[str]) -> list[Column[R]]:
    """The columns with these names, in their order, none to be left out. Names that no column has are ignored."""
    known = _by_name(found)
    wanted = dict.fromkeys(known[typed(name)] for name in names if typed(name) in known)
    return [replace(column, keep=None) for column in wanted]


def check_names(names: Sequence[str], tables: Sequence[Table]) -> None:
    """Raises KdbenchError for a name that no column of any table has."""
    found = [column for table in tables for column in _of_table(table)]
    known = _by_name(found)
    for name in names:
        if tables and typed(name) not in known:
            close = nearest(name, {column.name for column in found})
            raise KdbenchError(f"columns: found {name!r}; expected the name of a column. {close[:1].upper()}{close[1:]}")


def known_columns(metrics: Sequence[Metric]) -> dict[str, str]:
    """How each column of tables with these metrics is typed in short, with its head."""
    found = list(_every(metrics))
    known = _by_name(found)
    return {
        next(name for name in map(typed, (_bare(one.name), *one.also, one.name)) if known[name] == one): one.name
        for one in found
    }


def typed(name: str) -> str:
    """A name without what is hard to type: `t2i-r@1` of `t2i R@1`."""
    return re.sub(r"[\s,_-]+", "-", name.strip()).casefold()


def _bare(name: str) -> str:
    """Without its unit."""
    return re.sub(r"\s*\([^)]*\)$", "", name)


def _by_name(found: Sequence[Column[R]]) -> dict[str, Column[R]]:
    """By the names of columns, then by their other names, then by their names without a unit."""
    forms = [
        *((column.name, column) for column in found),
        *((name, column) for column in found for name in column.also),
        *((_bare(column.name), column) for column in found),
    ]
    known: dict[str, Column[R]] = {}
    for name, column in forms:
        known.setdefault(typed(name), column)
    return known


def fitting(
    found: Sequence[Column[R]], rows: Sequence[R], width: int | None = None, most: int | None = None
) -> list[Column[R]]:
    """Those that fit into `width` characters and are at most `most`; None of either is no limit."""
    kept = list(zip(found, widths(found, rows), widths(found, ()), strict=True))
    for level in sorted({column.keep for column in found if column.keep is not None}):
        needed = sum(min(full, max(_least(column, full, level), head)) for column, full, head in kept) + _gaps(kept)
        if (width is None or needed <= width) and (most is None or len(kept) <= most):
            break
        kept = [one for one in kept if one[0].keep != level]
    return [column for column, _, _ in kept]


def _least(column: Column[R], full: int, level: float) -> int:
    """Characters that a column can do with before those of a level go."""
    return NARROWEST if column.left and level >= SEEDS else column.narrow or full


def folded(shown: Sequence[Column[R]], rows: Sequence[R], width: int) -> list[int | None]:
    """The most characters for each column, so that all fit into `width`: the widest columns of text are wrapped."""
    full, heads = widths(shown, rows), widths(shown, ())
    most = max((one for one, column in zip(full, shown, strict=True) if column.left), default=NARROWEST)

    def limited(most: int) -> list[int]:
        return [min(one, max(most, head)) if column.left else one for one, head, column in zip(full, heads, shown, strict=True)]

    while sum(limited(most)) + _gaps(shown) > width and most > NARROWEST:
        most -= 1
    return [limit if limit < one else None for limit, one in zip(limited(most), full, strict=True)]


def widths(shown: Sequence[Column[R]], rows: Sequence[R]) -> list[int]:
    """Characters of each column's widest cell; tabulate leaves two characters about a header."""
    return [max(map(len, [*(f"{line}  " for line in column.name.splitlines()), *map(column.text, rows)])) for column in shown]


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


def _gaps(shown: Sequence[object]) -> int:
    """Characters between columns."""
    return 2 * (len(shown) - 1)
