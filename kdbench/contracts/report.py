"""What `kdbench leaderboard` can make of records: a site, figures, a table, CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Method:
    """What a plugin says of a strategy it offers; `name` is what suites write after `use:`.

    `formula` is plain text, `status` that of its `Offer`, `provider` the package and entry point.
    """

    name: str
    summary: str = ""
    formula: str = ""
    source: str = ""
    status: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Reported:
    """Everything there is to report, read from records and checked.

    `board` is a `kdbench.reports.Board`: tables of comparable rows with their intervals, ranks and notes. `profiles` are
    `kdbench.records.profile.Profile`s, `studies` `kdbench.records.study_summary.StudySummary`s. `methods` describe the
    strategies that are installed; a board may hold rows of others.
    """

    board: Any
    profiles: Sequence[Any] = ()
    studies: Sequence[Any] = ()
    methods: Sequence[Method] = ()


class Report(Protocol):
    """Writes one kind of file. Offered by the hook `kdbench_reports`; the builder's parameters are the report's options.

    `kdbench leaderboard --report best=best.txt` builds the report below and calls `write(material, Path("best.txt"))`::

        class Best:
            def write(self, material: Reported, target: Path) -> list[Path]:
                lines = [f"{table.title}: {table.rows[0].name}" for table in material.board.tables if table.rows]
                target.write_text("\\n".join(lines))
                return [target]

        @hookimpl
        def kdbench_reports():
            return [Offer("best", Best, "the best row of each table")]
    """

    def write(self, material: Reported, target: Path) -> list[Path]:
        """Writes to `target`, a file or a folder as the report decides; its parents are created.

        Returns the paths written, the one to open first. Raises KdbenchError if `target` cannot be written.
        """
        ...


@runtime_checkable
class TextReport(Report, Protocol):
    """A report that is text as well, so that `kdbench leaderboard --format NAME` can print it."""

    def text(self, material: Reported, width: int | None = None) -> str:
        """The report without a final newline, of at most `width` characters a line if the format can be narrowed."""
        ...
