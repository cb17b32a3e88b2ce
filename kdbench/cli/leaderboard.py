"""Commands that show what records say: the leaderboard and other reports, and what one difference means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import RESULTS, CacheRoot, app, cache_root, plugin_of, plugins_here, say, show, table_width
from kdbench.cli.completion import column_names, names_of
from kdbench.cli.outputs import output
from kdbench.errors import KdbenchError, counted

if TYPE_CHECKING:
    from kdbench.contracts import Report
    from kdbench.contracts.report import Method, Reported
    from kdbench.contracts.shown import Picture
    from kdbench.records.measured import Measured
    from kdbench.reports import Row, Table
    from kdbench.reports.results import Results
    from kdbench.statistics.splits import SplitUnits

WHOLE = ("csv", "json")  # formats that have all columns anyway
Records = Annotated[list[Path] | None, typer.Argument(help="Records, folders of records, or bundles.", show_default="results/")]


@app.command(rich_help_panel=RESULTS)
def leaderboard(
    results: Records = None,
    style: Annotated[
        str,
        typer.Option(
            "--format",
            help="Print it as table, markdown, csv or json, or as a report plugin that is text.",
            autocompletion=names_of("report"),
        ),
    ] = "table",
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="NAME[=PATH]",
            help="Write a report instead of printing, such as site=DIR, figures=DIR or csv=FILE; may be repeated.",
            autocompletion=names_of("report"),
        ),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="Show all columns, whatever the width of the terminal.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="NAME,...",
            help="Show the tables of runs with these columns, in this order, such as strategy,rsum,train.",
            autocompletion=column_names,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="DIR", help="Write a web site that needs no server: --report site=DIR.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="DIR", help="Draw PNG and SVG figures: --report figures=DIR.")
    ] = None,
    cache: CacheRoot = None,
) -> None:
    """Show which strategies are significantly better, and what they cost.

    A mean stands with half of its 95 % interval, which covers seeds and test queries. A rank is the range of ranks that a row
    may have, all pairs compared with Holm's correction. Runs that do not compare are in separate tables.
    """
    wanted = [*(report or []), *([f"site={html}"] if html else []), *([f"figures={pictures}"] if pictures else [])]
    made = [(name, plugin_of("report", name, "--report"), output(target, folder=True)) for name, target in map(_split, wanted)]
    printed = None if made else plugin_of("report", style, "--format", **_shown(wide, columns, style))
    if made and (wide or columns):
        raise KdbenchError(
            "--wide and --columns are for what is printed; for a file: --report '{use: markdown, wide: true}=FILE'"
        )
    material = _material(results, written=bool(made), cache=cache)
    for name, one, target in made:
        target.parent.mkdir(parents=True, exist_ok=True)
        written = one.write(material, target)
        say(f"{name}: {counted(len(written), 'file')}, open {written[0]}" if written else f"{name}: nothing to write")
    if printed is not None:
        _print(printed, style, material)


@app.command(rich_help_panel=RESULTS)
def power(
    difference: Annotated[
        float, typer.Argument(help="A true difference of the metric, in its shown unit: 5 is 5 points of RSUM.")
    ],
    results: Records = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--between",
            metavar="A B",
            help="Two rows, named as for `compare`.",
            show_default="of each table, the best and equal weights",
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="As records name it.", show_default="that which ranks the rows")
    ] = "",
) -> None:
    """Estimate how many seeds or test queries it takes to detect a difference.

    With 80 % power at 5 %, from the variation over seeds and test queries in recorded rows.

    `kdbench power 0.05 results/emoji`

    `kdbench power 3 results/emoji --metric rsum --between ammkd equal`
    """
    from kdbench.reports.find_rows import find_pair, pair_names
    from kdbench.reports.text_table import wrapped
    from kdbench.statistics import power as needed

    found = load_results(results)
    tables = found.board.tables
    pairs = [find_pair(found.board, *between)] if between else [pair for table in tables if (pair := _contestants(table))]
    if not pairs:
        raise KdbenchError("no table has two rows to compare; run a suite with two strategies or teams first")
    made = [
        needed(
            a.runs, b.runs, difference=difference, units=units_of(found, a), metric=metric, names=pair_names(found.board, a, b)
        )
        for a, b in pairs
    ]
    show("\n\n".join("\n".join(wrapped(line, "table", table_width()) for line in one.lines()) for one in made))


def load_results(results: list[Path] | None) -> Results:
    """What `kdbench leaderboard` and others read: by default the records under results/."""
    from kdbench.reports.results import load

    return load([Path("results")] if results is None else results, plugins=plugins_here())


def _shown(wide: bool, columns: str | None, style: str) -> dict[str, object]:
    """Options of a report that is printed. What writes all columns anyway needs none to be wide."""
    names = [name.strip() for name in (columns or "").split(",") if name.strip()]
    return {**({"wide": True} if wide and style not in WHOLE else {}), **({"columns": names} if names else {})}


def _split(text: str) -> tuple[str, Path]:
    """`site=DIR`, or with options `{use: site, …}=DIR`; without a path the report's name is one."""
    ending = text.rfind("}") + 1
    name, target = text[:ending] + text[ending:].partition("=")[0], text[ending:].partition("=")[2]
    return name, Path(target or name)


def _material(results: list[Path] | None, written: bool, cache: Path | None) -> Reported:
    """What reports are made of; studies for those that are written, not for those that are printed."""
    from kdbench.contracts.report import Reported
    from kdbench.records.study_files import read_studies

    found = load_results(results)
    board = found.board
    if not written:
        return Reported(board, found.profiles)
    studies, left_out = read_studies([Path("results")] if results is None else results)
    known = {(study.suite, study.study) for study in studies}
    studies += [study for study in found.reading.studies if (study.suite, study.study) not in known]  # from bundles
    board.notes[:0] = left_out

    def draw(run: Measured) -> Sequence[Picture]:
        from kdbench.deploy.gallery.of_run import run_pictures  # models need torch, which reports do not
        from kdbench.storage.cache import Cache

        return run_pictures(run, found.reading.runs, found.reading.units, plugins_here(), Cache(cache_root(cache)))

    return Reported(board, found.profiles, studies, _methods(), draw)


def _print(report: Report, name: str, material: Reported) -> None:
    from kdbench.contracts.report import TextReport

    if not isinstance(report, TextReport):
        raise KdbenchError(f"--format: found {name!r}, which is not text; write it with --report {name}=PATH")
    show(report.text(material, table_width()))
    if name == "csv":  # which has no place for them
        for note in material.board.notes:
            say(note)


def units_of(found: Results, row: Row) -> SplitUnits:
    """The test units of a row's queries, of each fold if it has folds, as its folder has them."""
    from kdbench.statistics.splits import split_of

    return split_of(row.runs, found.reading.units)[1]


def _contestants(table: Table) -> tuple[Row, Row] | None:
    """The best row and equal weights; if these are the same, or there are none, the best two."""
    from kdbench.reports.verdict import is_baseline

    others = sorted(table.rows[1:], key=lambda row: not is_baseline(row))
    return (table.rows[0], others[0]) if others else None


def _methods() -> list[Method]:
    from kdbench.contracts.report import Method

    return [
        Method(
            name=name,
            summary=listed.offer.summary,
            formula=listed.offer.formula,
            latex=listed.offer.latex,
            source=listed.offer.source,
            status=listed.offer.status,
            provider=listed.provider,
        )
        for name, listed in plugins_here().offers("strategy").items()
    ]
