"""Commands that show what records say: tables, pictures, pages, and what their differences mean."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import Format, app, plugins_here, say
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.deploy.profile import Profile
    from kdbench.records.reading import Reading
    from kdbench.reports import Board, Row, Table
    from kdbench.reports.site import Method
    from kdbench.tasks.retrieval.concepts import Ints

Records = Annotated[list[Path] | None, typer.Argument(help="Records, folders of records, or bundles.", show_default="results/")]
Style = Annotated[Format, typer.Option("--format", help="How to print it.")]


@app.command()
def leaderboard(
    results: Records = None,
    style: Style = Format.table,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="DIR", help="Write it as a web site that needs no server.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="DIR", help="Draw recall against cost, weights and seeds: PNG and SVG.")
    ] = None,
) -> None:
    """Make the leaderboard from records: who is surely better than whom, and what it costs.

    A mean stands with half of its 95 % interval, which counts the chance of seeds and of test images; a rank is the range
    that all pairs, compared with Holm's correction, leave to a row. What does not compare is in a table of its own.
    """
    found, board = _board(results)
    if not (html or pictures):
        _print(board, found.profiles, style)
        return
    from kdbench.reports.pareto import planes

    laid_out = planes(board, found.profiles)
    if html:
        from kdbench.records.studies import read_studies
        from kdbench.reports.site import write_site
        from kdbench.reports.students import students_table

        studies, left_out = read_studies([Path("results")] if results is None else results)
        known = {(study.suite, study.study) for study in studies}
        studies += [study for study in found.studies if (study.suite, study.study) not in known]  # from bundles
        board.notes[:0] = left_out
        students = students_table(found.profiles)
        written = write_site(html, board, laid_out, students, _methods(), studies)
        say(f"{written.pages} pages: open {written.entry}")
    if pictures:
        from kdbench.reports.figures import draw

        drawn = draw(pictures, board, laid_out)
        say(f"{len(drawn)} pictures in {pictures}")


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A row: its name, its strategy, its one teacher, or the id of a run.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    results: Records = None,
    most: Annotated[int, typer.Option(min=0, help="Queries to show each way.")] = 5,
) -> None:
    """Explain one pair of rows: by how much A differs from B, how sure that is, and which queries changed most.

    For example `kdbench compare ammkd equal results/emoji`. This pair alone is tested; a leaderboard corrects for all pairs.
    """
    from kdbench.reports.find import find_pair
    from kdbench.statistics import explain

    found, board = _board(results)
    first, second = find_pair(board, a, b)
    explained = explain(first.runs, second.runs, _concepts(found, first), most)
    typer.echo("\n".join(explained.lines()))


@app.command()
def power(
    difference: Annotated[float, typer.Argument(help="Of RSUM, in points: a true difference that should be found.")],
    results: Records = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--between",
            metavar="A B",
            help="Two rows, as `compare` takes them.",
            show_default="of each table, the best and equal weights",
        ),
    ] = None,
) -> None:
    """Say how many seeds, or test images, it takes to resolve a difference of RSUM with 80 % power at 5 %.

    For example `kdbench power 5 results/emoji`. Judged from how much seeds and images moved the rows that are recorded.
    """
    from kdbench.reports.find import find_pair
    from kdbench.statistics import power as needed

    found, board = _board(results)
    pairs = [find_pair(board, *between)] if between else [pair for table in board.tables if (pair := _contestants(table))]
    if not pairs:
        raise KdbenchError("no table has two rows to compare; run a suite with two strategies or teams first")
    told = ["\n".join(needed(a.runs, b.runs, difference=difference, units=_concepts(found, a)).lines()) for a, b in pairs]
    typer.echo("\n\n".join(told))


def show(paths: Sequence[Path], profiles: Iterable[Profile], smoke: bool = False) -> None:
    """Prints the leaderboard of these record files."""
    _, board = _board(list(paths), smoke)
    typer.echo()
    _print(board, profiles, Format.table)


def _board(results: list[Path] | None, smoke: bool = False) -> tuple[Reading, Board]:
    from kdbench.records.reading import read_measured
    from kdbench.reports import build

    found = read_measured([Path("results")] if results is None else results)
    board = build(found.runs, found.unfinished, found.concepts, smoke)
    board.notes[:0] = [f"left out: {problem.line}" for problem in found.problems]
    return found, board


def _print(board: Board, profiles: Iterable[Profile], style: Format) -> None:
    from kdbench.reports import leaderboard as made_from

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo(made_from(board, profiles, style.value, width))
    if style is Format.csv:  # which has no place for them
        for note in board.notes:
            say(note)


def _concepts(found: Reading, row: Row) -> tuple[Ints, Ints] | None:
    return found.concepts.get(row.runs[0].record.dataset_digest or "")


def _contestants(table: Table) -> tuple[Row, Row] | None:
    """The best row and equal weights; where these are the same, or there are none, the best two."""
    from kdbench.reports.verdict import is_baseline

    others = sorted(table.rows[1:], key=lambda row: not is_baseline(row))
    return (table.rows[0], others[0]) if others else None


def _methods() -> list[Method]:
    from kdbench.reports.site import Method

    offers = plugins_here().offers("strategy")
    return [
        Method(
            name=name,
            summary=listed.offer.summary,
            formula=listed.offer.formula,
            source=listed.offer.source,
            status=listed.offer.status,
            provider=listed.provider,
        )
        for name, listed in offers.items()
    ]
