"""The columns of a table of runs, as text, and which of them to leave out where a terminal is too narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdbench.reports.board import Row, Table, Value

DAGGER = "†"
ONE_SEED = "!"


@dataclass(frozen=True)
class Column:
    """`keep` is greater for what is left out later; None is always shown."""

    name: str
    cell: Callable[[Row], str]
    left: bool = False
    keep: int | None = None


def columns(table: Table) -> list[Column]:
    """Of what its rows know. `t2i` are texts retrieving images, `i2t` images retrieving texts."""
    rows = [*table.references, *table.rows]
    found = [Column("rank", rank), Column("group", lambda row: str(row.group or ""), keep=9)]
    if any(row.variant for row in rows):
        found.append(Column("variant", lambda row: row.variant, left=True))
    found += [
        Column("teachers", _teachers, left=True),
        Column("strategy", lambda row: _marked(row, row.strategy) or "–", left=True),
        Column("n", seeds),
    ]
    for keep, k in zip((8, 6, 7, 5, 4, 3), table.recall_at, strict=False):
        found.append(_metric(f"t2i R@{k}", f"image_retrieval_recall@{k}", keep))
    for keep, k in zip((8, 6, 7, 5, 4, 3), table.recall_at, strict=False):
        found.append(_metric(f"i2t R@{k}", f"text_retrieval_recall@{k}", keep))
    found.append(_metric("RSUM", "rsum", None))
    found += [column for column in _costs() if any(column.cell(row) != "–" for row in rows)]
    if any(len(row.weights) > 1 for row in rows):
        found.append(Column("mean weights", weights, left=True, keep=1))
    return found


def fitting(found: Sequence[Column], rows: Sequence[Row], width: int | None) -> tuple[list[Column], list[str]]:
    """Those that fit into `width` characters, and the names of the others. None leaves room for all."""
    shown = list(found)
    if width is None:
        return shown, []
    droppable = sorted((column for column in found if column.keep is not None), key=lambda column: column.keep or 0)
    for column in droppable:
        # tabulate leaves two characters about a header.
        if sum(2 + max(map(len, [f"{one.name}  ", *map(one.cell, rows)])) for one in shown) - 2 <= width:
            break
        shown.remove(column)
    return shown, [column.name for column in found if column not in shown]


def rank(row: Row) -> str:
    """The ranks that it may have; nothing for what is not ranked."""
    if not row.first:
        return ""
    return str(row.first) if row.first == row.last else f"{row.first}–{row.last}"


def seeds(row: Row) -> str:
    """How many, and whether that is too few to say anything of training's chance."""
    return f"{len(row.runs)}{ONE_SEED if len(row.runs) == 1 and not row.reference else ''}"


def weights(row: Row) -> str:
    """The mean weight of each teacher; nothing for fewer than two."""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in row.weights.items()) if len(row.weights) > 1 else ""


def figure(value: Value) -> str:
    """Mean and half the 95 % interval."""
    return f"{value.mean:.1f} ± {value.half:.1f}"


def _metric(name: str, metric: str, keep: int | None) -> Column:
    return Column(name, lambda row: figure(row.values[metric]), keep=keep)


def _costs() -> list[Column]:
    def shown(read: Callable[[Row], float | None], style: str) -> Callable[[Row], str]:
        return lambda row: "–" if (value := read(row)) is None else format(value, style)

    return [
        Column("student s", shown(lambda row: row.cost.train_seconds or None, ",.0f"), keep=2),
        Column("teachers s", shown(lambda row: row.cost.teacher_seconds, ",.0f"), keep=2),
        Column("strategy share", shown(lambda row: row.cost.strategy_share, ".1%"), keep=2),
        Column("peak MB", shown(lambda row: row.cost.peak_mb, ",.0f"), keep=2),
    ]


def _teachers(row: Row) -> str:
    return f"{_marked(row, row.student)} {row.teachers}" if row.reference else row.teachers


def _marked(row: Row, label: str) -> str:
    return f"{label}{DAGGER}" if label in row.reconstructions else label
