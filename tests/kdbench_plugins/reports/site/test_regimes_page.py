"""The first page of a site with regimes, and the tables of a race."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kdbench.reports import Board, build
from kdbench.reports.regimes import advice
from kdbench.reports.summary import summaries
from kdbench.suite.race import RaceDesign
from kdbench_plugins.reports.site.site_pages import write_site
from tests.support.rankings import row
from tests.support.situations import regime, situations
from tests.support.toys import plugged


def written(board: Board, folder: Path) -> str:
    return write_site(folder / "site", board, [], [], [], summaries=summaries(board)).entry.read_text(encoding="utf-8")


def in_order(page: str, *parts: str) -> None:
    places = [page.index(part) for part in parts]
    assert places == sorted(places), list(zip(parts, places, strict=True))


def test_the_question_is_answered_at_once_and_the_map_follows(tmp_path: Path) -> None:
    board = build(situations())
    page = written(board, tmp_path)
    question = "<h1>Which strategy should I use?</h1>"
    assert f'{question}\n<p class="verdict">{advice(board.regimes)}</p>' in page
    in_order(page, question, advice(board.regimes), 'class="legend"', 'id="regime-1-1"', 'id="glance"', 'id="verdicts"')
    figures = re.findall(r'id="regime-1-\d-data">(.*?)</script>', page)
    assert [json.loads(figure)["layout"]["showlegend"] for figure in figures] == [False] * 3
    assert page.count('<span class="sign"') == 3


def test_significant_gains_are_bold_in_the_table_of_gains(tmp_path: Path) -> None:
    board = build(situations())
    page = written(board, tmp_path)
    gains = page[page.index("Gains as a table") : page.index("</details>")]
    assert gains.count("<strong>") == sum(gain.found in ("better", "worse") for one in board.regimes for gain in one.gains)


def test_without_regimes_the_verdicts_follow_the_question(tmp_path: Path) -> None:
    several = build([*row("equal"), *row("equal", spec={"dataset": plugged("pebbles")}, dataset_digest="f" * 64)])
    in_order(
        written(several, tmp_path), "<h1>Which strategy should I use?</h1>", 'id="verdicts"', 'class="how"', 'id="columns"'
    )
    assert 'class="legend"' not in written(several, tmp_path)


def test_a_table_of_a_race_says_why_rows_stopped(tmp_path: Path) -> None:
    race = RaceDesign(min_seeds=2, max_seeds=4, looks=2)
    page = written(build(regime("wrong", {"good": 1.5}, race=race)), tmp_path)
    assert re.search(r'<th scope="col"[^>]*>Stopped</th>', page)
    assert "<td>settled, look 2</td>" in page
    assert "<td>worse, look 2</td>" in page
    assert "<dt>Stopped</dt>" in page
    assert "Variant</th>" not in page, "the title names the regime"
    plain = written(build(row("equal")), tmp_path)
    assert "Stopped" not in plain
