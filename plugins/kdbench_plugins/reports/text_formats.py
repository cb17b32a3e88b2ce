"""A leaderboard as text: for the terminal, a README, a spreadsheet or a program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.contracts import Offer
from kdbench.contracts.hookspecs import hookimpl
from kdbench.contracts.report import Report, Reported

if TYPE_CHECKING:
    from kdbench.reports.board_text import Format


class TextFile:
    """One of `kdbench.reports.FORMATS`."""

    style: Format = "table"

    def text(self, material: Reported, width: int | None = None) -> str:
        """The tables of runs, followed by the costs of students."""
        from kdbench.reports import leaderboard

        return leaderboard(material.board, material.profiles, self.style, width)

    def write(self, material: Reported, target: Path) -> list[Path]:
        """One file, all columns. Raises KdbenchError if it cannot be written."""
        from kdbench.errors import KdbenchError
        from kdbench.storage.atomic import write_text

        try:
            return [write_text(target, f"{self.text(material)}\n")]
        except OSError as error:
            raise KdbenchError(f"{target}: cannot be written ({error})") from error


class TerminalTable(TextFile):
    """Plain columns; leaves out columns that do not fit the terminal."""


class Markdown(TextFile):
    """Markdown tables."""

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
