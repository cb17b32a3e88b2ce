"""What `kdbench leaderboard` can write from records: a site, figures, a table, CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kdbench.contracts.shown import Picture


@dataclass(frozen=True)
class Method:
    """An installed strategy; `name` is what suites write after `use:`.

    `formula`, as plain text, `latex` and `status` come from its `Offer`; `provider` is the package and entry point.
    """

    name: str
    summary: str = ""
    formula: str = ""
    source: str = ""
    status: str = ""
    provider: str = ""
    latex: str = ""


def nothing_drawn(run: Any) -> Sequence[Picture]:  # noqa: ARG001
    """No pictures of a run."""
    return ()


@dataclass(frozen=True)
class Reported:
    """Everything that can be reported, read from records and verified.

    `board` is a `kdbench.reports.Board`: tables of comparable rows with their intervals, ranks and notes. `profiles` are
    `kdbench.records.profile.Profile`s, `studies` `kdbench.records.study_summary.StudySummary`s. `methods` describes the
    installed strategies; the board may also have rows of strategies that are not installed. `pictures` draws a run, a
    `kdbench.records.measured.Measured`, as far as its task does and the cache holds what it was trained to.
    """

    board: Any
    profiles: Sequence[Any] = ()
    studies: Sequence[Any] = ()
    methods: Sequence[Method] = ()
    pictures: Callable[[Any], Sequence[Picture]] = nothing_drawn


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
        """Writes `target`, a file or a folder depending on the report, and creates its parents.

        Returns the paths written, first the one to open. Raises KdbenchError if `target` cannot be written.
        """
        ...


@runtime_checkable
class TextReport(Report, Protocol):
    """A report that `kdbench leaderboard --format NAME` can also print."""

    def text(self, material: Reported, width: int | None = None) -> str:
        """The report as text without a final newline, at most `width` characters wide if the format can be narrowed."""
        ...
