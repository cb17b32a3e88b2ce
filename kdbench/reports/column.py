"""A column of a table of text: which of several there is room for, and which were asked for by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

NARROWEST = 4  # characters of a column of text that is wrapped
WRAPPED_FIRST = 18  # before columns that are kept longer than this are left out, all text is wrapped

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


def chosen(found: Sequence[Column[R]], names: Sequence[str]) -> list[Column[R]]:
    """The columns with these names, in their order, none to be left out. Names that no column has are ignored."""
    known = by_name(found)
    wanted = dict.fromkeys(known[typed(name)] for name in names if typed(name) in known)
    return [replace(column, keep=None) for column in wanted]


def typed(name: str) -> str:
    """A name without what is hard to type: `t2i-r@1` of `t2i R@1`."""
    return re.sub(r"[\s,_-]+", "-", name.strip()).casefold()


def bare(name: str) -> str:
    """Without its unit."""
    return re.sub(r"\s*\([^)]*\)$", "", name)


def by_name(found: Sequence[Column[R]]) -> dict[str, Column[R]]:
    """By the names of columns, then by their other names, then by their names without a unit."""
    forms = [
        *((column.name, column) for column in found),
        *((name, column) for column in found for name in column.also),
        *((bare(column.name), column) for column in found),
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
    return NARROWEST if column.left and level >= WRAPPED_FIRST else column.narrow or full


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


def _gaps(shown: Sequence[object]) -> int:
    """Characters between columns."""
    return 2 * (len(shown) - 1)
