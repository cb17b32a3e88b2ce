"""A table as text, for a terminal or in Markdown: which columns there is room for, and how their cells are written."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

from tabulate import tabulate

from kdbench.reports.column import Column, fitting, folded

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
MARKDOWN_COLUMNS = 9  # of a table in a README, which has no room for more

R = TypeVar("R")


def table_text(
    columns: Sequence[Column[R]], rows: Sequence[R], style: Format, width: int | None = None, wide: bool = False
) -> tuple[str, list[str]]:
    """The table, and the names of the columns left out of it.

    A `table` has at most `width` characters, Markdown at most nine columns; with `wide`, both have all columns. Text that does
    not fit is wrapped within its cell.
    """
    markdown = style == "markdown"
    limit = None if markdown or wide else width
    shown = fitting(columns, rows, limit, MARKDOWN_COLUMNS if markdown and not wide else None)
    written = [[_written(column, row, style) for column in shown] for row in rows]
    text = tabulate(
        written,
        headers=[" ".join(column.name.split()) if markdown else column.name for column in shown],
        tablefmt="github" if markdown else "simple",
        colalign=["left" if column.left else "right" for column in shown],
        disable_numparse=True,
        maxcolwidths=folded(shown, rows, limit) if rows and limit is not None else None,
    )
    return text, [" ".join(column.name.split()) for column in columns if column not in shown]


def left_out(names: Sequence[str], style: Format) -> list[str]:
    """The note that columns were left out, in a list; empty if none were."""
    if not names:
        return []
    why = "for a page" if style == "markdown" else "to fit"
    return [f"- left out {why}: {', '.join(names)}; --wide shows all columns"]


def wrapped(text: str, style: Format, width: int | None) -> str:
    """Prose in lines of at most `width` characters for a terminal; they keep the indent of the first, and that of a list."""
    if style != "table" or width is None:
        return text
    bare = text.lstrip()
    indent = text[: len(text) - len(bare)] + ("  " if bare.startswith("- ") else "")
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def escaped(text: str, style: Format) -> str:
    """Text as it can stand in a table."""
    return text.replace("|", r"\|") if style == "markdown" else text


def _written(column: Column[R], row: R, style: Format) -> str:
    text = escaped(column.text(row), style)
    return f"**{text}**" if style == "markdown" and text and column.bold(row) else text
