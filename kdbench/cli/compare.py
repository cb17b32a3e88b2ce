"""`kdbench compare`: what the difference of two rows means, and the queries behind it."""

from __future__ import annotations

from typing import Annotated

import typer

from kdbench.cli.common import RESULTS, CacheRoot, app, cache_root, plugins_here, show, table_width
from kdbench.cli.gallery import Html, write_page
from kdbench.cli.leaderboard import Records, load_results, units_of


@app.command(rich_help_panel=RESULTS)
def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="A row: its name, strategy or only teacher, if need be after its regime, variant or student, or a run's id."
        ),
    ],
    b: Annotated[str, typer.Argument(help="Another row.")],
    results: Records = None,
    most: Annotated[int, typer.Option(min=0, help="Number of queries to show each way.")] = 5,
    html: Html = None,
    cache: CacheRoot = None,
) -> None:
    """Explain the difference of two rows: its size, its significance, the queries behind it.

    One row is significantly better, or both are equivalent within the margin, or about so many more seeds would decide. Of
    each query: its text or picture, what is right, and what each model puts on top if the cache holds the weights. Only
    this pair is tested; a leaderboard corrects for all pairs.

    `kdbench compare ammkd equal results/emoji`, of a regime `kdbench compare 'alike: ammkd' 'alike: equal'`
    """
    from kdbench.deploy.gallery.of_pair import look_at_pair
    from kdbench.reports.find_rows import find_pair, pair_names
    from kdbench.reports.gallery.of_pair import pair_card, pair_page
    from kdbench.reports.gallery.text import card_lines
    from kdbench.reports.text_table import wrapped
    from kdbench.statistics import explain
    from kdbench.storage.cache import Cache

    found = load_results(results)
    rows = find_pair(found.board, a, b)
    explained = explain(rows[0].runs, rows[1].runs, units_of(found, rows[0]), most, pair_names(found.board, *rows))
    of, notes = look_at_pair(
        explained, rows[0].runs, rows[1].runs, found.reading.units, plugins_here(), Cache(cache_root(cache))
    )
    lines = explained.lines(lambda query: card_lines(pair_card(query, of(query)), ("A", "B"), table_width()), notes)
    show("\n".join(wrapped(line, "table", table_width()) for line in lines))
    if html:
        names = [f"{letter}: {name}" for letter, name in zip("AB", (explained.a, explained.b), strict=True)]
        write_page(pair_page(explained, of, names, rows[0].runs[0].record.licence or "", notes), html)
