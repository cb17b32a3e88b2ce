"""A leaderboard as text: for the terminal, a README, a spreadsheet or a program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.contracts import Offer
from kdbench.contracts.hookspecs import hookimpl
from kdbench.contracts.report import Report, Reported

if TYPE_CHECKING:
    from kdbench.reports.text_table import Format


class TextFile:
    """One of `kdbench.reports.FORMATS`, with all columns."""

    style: Format = "table"

    def text(self, material: Reported, width: int | None = None) -> str:  # noqa: ARG002
        """The whole leaderboard; without a table nothing depends on the width."""
        from kdbench.reports import leaderboard

        return leaderboard(material.board, material.profiles, self.style)

    def write(self, material: Reported, target: Path) -> list[Path]:
        """One file, all columns, which a terminal may show. Raises KdbenchError if it cannot be written."""
        from kdbench.contracts.neutral import neutral
        from kdbench.errors import KdbenchError
        from kdbench.storage.atomic import write_text

        try:
            return [write_text(target, f"{neutral(self.text(material))}\n")]
        except OSError as error:
            raise KdbenchError(f"{target}: cannot be written ({error})") from error


class Tables(TextFile):
    """Tables with the columns that there is room for, or `wide` with all; `columns` names those to show instead."""

    def __init__(self, *, columns: tuple[str, ...] = (), wide: bool = False) -> None:
        self.columns, self.wide = columns, wide

    def text(self, material: Reported, width: int | None = None) -> str:
        """The summary of students, the tables of runs and the costs of students. Raises KdbenchError for an unknown column."""
        from kdbench.reports import leaderboard

        return leaderboard(material.board, material.profiles, self.style, width, wide=self.wide, names=self.columns)


class TerminalTable(Tables):
    """Plain columns."""


class Markdown(Tables):
    """Markdown tables, of at most nine columns unless `wide` or named."""

    style: Format = "markdown"


class Csv(TextFile):
    """CSV: one line for each row of each table, without the costs of students."""

    style: Format = "csv"


class Json(TextFile):
    """JSON: all tables, rows and students."""

    style: Format = "json"


@hookimpl
def kdbench_reports() -> list[Offer[Report]]:
    return [
        Offer("table", TerminalTable, "tables for a terminal"),
        Offer("markdown", Markdown, "Markdown tables for a README"),
        Offer("csv", Csv, "CSV for a spreadsheet, one line for each row"),
        Offer("json", Json, "JSON for programs, with all values"),
    ]
