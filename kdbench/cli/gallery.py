"""Commands that show what models retrieve: pages of queries with pictures, and a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdbench.cli.common import RESULTS, CacheRoot, Results, app, cache_root, plugins_here, say, show, table_width
from kdbench.cli.outputs import output
from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    from kdbench.reports.gallery.page import Page

Run = Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or the path of its record.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures into this file.")]


@app.command(rich_help_panel=RESULTS)
def gallery(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs: ids, beginnings of ids, or paths of records.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The page to write.", show_default="galleries/RUN.html")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Number of queries a section.")] = 6,
    results: Results = Path("results"),
    cache: CacheRoot = None,
) -> None:
    """Write a page of test queries with what a run's student puts on top, and its worst failures.

    Beside a student stand its teachers. Several runs stand side by side. The page is one file that needs no server and no
    network. Pictures of what is on top need the cache of the training; without it there are texts and figures.

    `kdbench gallery 28ffb288130b`
    """
    from kdbench.deploy.gallery.of_runs import gallery_page
    from kdbench.reports.inspect import find_run
    from kdbench.storage.cache import Cache

    paths = [find_run(run, results) for run in runs]
    target = output(html or Path("galleries") / f"{'-'.join(path.stem for path in paths)[:100]}.html")
    page = gallery_page(paths, most, plugins_here(), Cache(cache_root(cache)))
    for note in page.notes:
        say(f"note: {note}")
    write_page(page, target)


@app.command(rich_help_panel=RESULTS)
def search(
    run: Run,
    text: Annotated[str | None, typer.Argument(help="What to look for, such as 'a red heart'.")] = None,
    image: Annotated[Path | None, typer.Option("--image", metavar="FILE", help="Look for texts that fit this picture.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Number of results.")] = 10,
    html: Html = None,
    results: Results = Path("results"),
    cache: CacheRoot = None,
) -> None:
    """Search the test split with the trained student of a run: pictures by a text, or texts by a picture.

    `kdbench search 28ffb288130b 'a red heart'`
    """
    from kdbench.records.files import read_record
    from kdbench.reports.inspect import find_run

    if (text is None) == (image is None):
        raise KdbenchError(f"found {'neither' if text is None else 'both'} TEXT and --image FILE; expected one of them")
    if html:
        output(html)
    record = read_record(find_run(run, results))

    from kdbench.deploy.gallery.search import search as find
    from kdbench.reports.gallery.text import result_lines
    from kdbench.storage.cache import Cache

    page = find(record, text if text is not None else image or Path(), most, plugins_here(), Cache(cache_root(cache)))
    show("\n".join(result_lines(page, table_width())))
    if html:
        write_page(page, html)


def write_page(page: Page, path: Path) -> None:
    """Writes a page as HTML and says where it is."""
    from kdbench.reports.gallery.html import html
    from kdbench.storage.atomic import write_text

    say(f"Open {write_text(path, html(page))}")
