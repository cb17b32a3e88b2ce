"""A leaderboard as text: for the terminal, for a README, for a spreadsheet, for a program."""

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
        """The tables of runs and, below them, what the students cost."""
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
    """Plain columns; leaves out those that do not fit the terminal."""


class Markdown(TextFile):
    """For a README."""

    style: Format = "markdown"


class Csv(TextFile):
    """One line for each row of each table, runs only."""

    style: Format = "csv"


class Json(TextFile):
    """Tables, rows and students as they are, for a program."""

    style: Format = "json"


@hookimpl
def kdbench_reports() -> list[Offer[Report]]:
    return [
        Offer("table", TerminalTable, "tables for the terminal"),
        Offer("markdown", Markdown, "tables for a README"),
        Offer("csv", Csv, "one line for each row, for a spreadsheet"),
        Offer("json", Json, "everything, for a program"),
    ]
